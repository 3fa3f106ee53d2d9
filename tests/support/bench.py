"""`godwit bench sink`: a destination that does TLS, over IPv4 or IPv6, and keeps a ledger of what it took."""

import contextlib
import json
from pathlib import Path
from typing import Any

from support.certificates import Certificate
from support.process import Process


class BenchSink:
    """`host` as in a URL: an IPv6 address stands in brackets. `options` are the command's own (say, "--rule", ...). `threads` 0: one a CPU."""

    def __init__(self, executable: Path, directory: Path, *options: str, tls: str = "none",
                 certificate: Certificate | None = None, host: str = "127.0.0.1", port: int = 0, name: str = "sink",
                 prefix: tuple[str, ...] = (), threads: int = 1) -> None:
        self._ledger = directory / f"{name}.ledger"
        files = ["--certificate", certificate.certificate, "--key", certificate.key] if certificate else []
        cores = ["--threads", str(threads)] if threads else []
        self.process = Process(name, [*prefix, executable, "bench", "sink", "--listen", f"{host}:{port}",
                                      *cores, "--tls", tls, "--ledger", self._ledger, *files, *options],
                               directory)
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.address: str = json.loads(self.process.wait_for_output("{", 20))["listening"]
            undo.pop_all()

    def ledger(self) -> list[dict[str, Any]]:
        """A line for each mail that was complete."""
        text = self._ledger.read_text() if self._ledger.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def close(self) -> None:
        self.process.clean_up()
