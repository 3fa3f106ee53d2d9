"""What idle TLS sessions take of memory."""

import contextlib
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from support.certificates import make_certificate
from support.godwit import Godwit
from support.mail import Conversation
from support.waiting import wait_until

from compare.processes import memory

WORKERS = 4
IDLE_SECONDS = 5  # pages that a handshake needed have gone back to the system


def hold_sessions(server: tuple[str, int], count: int, ready: str, done: str) -> None:
    """Opens TLS sessions and holds them until the file `done` appears."""
    sessions = []
    for _ in range(count):
        session = Conversation(server, timeout=120)
        session.ask("EHLO client.test")
        assert session.ask("STARTTLS").startswith("220")
        session.start_tls()
        assert session.ask("EHLO client.test").startswith("250")
        sessions.append(session)
    Path(ready).touch()
    wait_until(lambda: Path(done).exists(), 600, "the end of the measurement")


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    sessions = 1_000 if quick else 10_000
    node = Godwit(executable, directory / "node", certificate=make_certificate(directory))
    with contextlib.closing(node), ProcessPoolExecutor(WORKERS) as pool:
        node.start()
        assert node.process
        before = memory([node.process.pid]).shared_once
        ready = [directory / f"ready{n}" for n in range(WORKERS)]
        done = directory / "done"
        held = [pool.submit(hold_sessions, node.relay, sessions // WORKERS, str(file), str(done)) for file in ready]
        try:
            wait_until(lambda: all(f.exists() for f in ready) or any(h.done() for h in held), 300, "open sessions")
            time.sleep(IDLE_SECONDS)
            after = memory([node.process.pid]).shared_once
        finally:
            done.touch()
        for one in held:
            one.result()
    return {"sessions": sessions, "mib_before": before / 2**20, "mib_with_them": after / 2**20,
            "kib_a_session": (after - before) / sessions / 1024}
