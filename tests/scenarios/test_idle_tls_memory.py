"""What an idle TLS session costs in memory: ten thousand of them are what a submission service has to hold."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.mail import Conversation
from support.waiting import wait_until

WARM = 200
SESSIONS = 1_000
# Measured with the build that tests use: 18,400, of it 13,700 OpenSSL's (bench/compare --questions=idle measures what is
# shipped). The bound is an eighth above.
BYTES_PER_SESSION = 20_700


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def open_session(server: tuple[str, int]) -> Conversation:
    session = Conversation(server)
    assert session.ask("EHLO client.test").startswith("250")
    assert session.ask("STARTTLS").startswith("220")
    session.start_tls()
    assert session.ask("EHLO client.test").startswith("250")
    return session


def test_idle_tls_memory(start_godwit, record_property) -> None:
    godwit = start_godwit()
    pid = godwit.process.pid
    with ThreadPoolExecutor(8) as pool:
        # What is allocated once, whatever the number of sessions, is not counted.
        warm = list(pool.map(open_session, [godwit.relay] * WARM))
        before = resident_bytes(pid)
        sessions = list(pool.map(open_session, [godwit.relay] * SESSIONS))
        try:
            slope = (resident_bytes(pid) - before) / SESSIONS
            record_property("bytes_per_session", round(slope))
            print(f"{slope:.0f} octets a session")
            assert slope <= BYTES_PER_SESSION
            assert sessions[-1].ask("NOOP").startswith("250"), "the sessions are alive"
        finally:
            for session in warm + sessions:
                session.close()
    wait_until(godwit.is_ready, 10, "readiness")
