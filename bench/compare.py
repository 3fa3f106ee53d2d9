"""Godwit beside Postfix: the same machine, the same run, the same generator and sink.

    make bench                          everything, and bench/RESULTS.md
    .venv/bin/python bench/compare.py GODWIT --only relay --rounds 1 --messages 5000

What is measured, 5 KiB messages over 100 connections by Postfix's smtp-source:
  accept   mail is taken durably and goes nowhere (Postfix: held; Godwit: the role ingress alone)
  relay    mail goes through to Postfix's smtp-sink, from the first connection to the last mail at the sink
  idle     10,000 idle TLS sessions (Godwit), by resident memory
  urgent   urgent mail behind 1,000,000 bulk messages of its lane (Godwit): from its 250 to the end of its first attempt
CPU is that of the whole tree of processes of the server under test, user and system. Rounds alternate between the
two; the medians of the rounds are compared. The generator straight into the sink gives the ceiling of the set-up.
Both sync every message to the same disk before they acknowledge it. Postfix is set up as its TUNING_README and
documentation advise for a relay with one destination; it logs to syslog, whose cost is not counted.
"""

import argparse
import contextlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.addresses import free_port  # noqa: E402
from support.bench import BenchSink  # noqa: E402
from support.certificates import Certificate, make_certificate  # noqa: E402
from support.godwit import Godwit  # noqa: E402
from support.mail import Conversation  # noqa: E402
from support.overtaking import SHAPING, Overtaking, measure_overtaking  # noqa: E402
from support.postfix import PostfixServer  # noqa: E402
from support.process import Process  # noqa: E402
from support.waiting import wait_until  # noqa: E402

MESSAGE_BYTES = 5 * 1024
CONNECTIONS = 100
# A run of Postfix with fewer messages takes about as long; rates are compared, not times.
POSTFIX_SHARE = 4
IDLE_SECONDS = 5  # pages that a handshake needed have gone back to the system
TICKS = os.sysconf("SC_CLK_TCK")

POSTFIX_SETTINGS = """\
maillog_file =
default_process_limit = 200
in_flow_delay = 0s
qmgr_message_active_limit = 100000
qmgr_message_recipient_limit = 100000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = 127.0.0.1
smtp_connection_reuse_count_limit = 0
default_destination_concurrency_limit = 100
initial_destination_concurrency = 100
smtpd_recipient_restrictions = permit_mynetworks, reject
virtual_mailbox_domains =
local_header_rewrite_clients =
"""


@dataclass
class Run:
    """One run: what it took."""

    messages: int
    seconds: float
    cpu_seconds: float
    memory_bytes: int

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_seconds / self.messages


@dataclass
class Server:
    """A server under test: where it listens, and the processes that are its."""

    address: tuple[str, int]
    pid: int


def children_of() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def tree(pid: int) -> list[int]:
    children = children_of()
    members, queue = [], [pid]
    while queue:
        one = queue.pop()
        members.append(one)
        queue += children.get(one, [])
    return members


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its descendants, and those of them that ended."""
    ticks = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return ticks / TICKS


def memory_bytes(pid: int) -> int:
    """Proportional set size of the tree: what several processes share counts once."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def generate(address: tuple[str, int], messages: int) -> None:
    subprocess.run(["smtp-source", "-4", "-d", "-s", str(CONNECTIONS), "-l", str(MESSAGE_BYTES), "-m", str(messages),
                    "-f", "ann@sender.test", "-t", "bob@example.test", f"{address[0]}:{address[1]}"],
                   check=True, stdout=subprocess.DEVNULL)


class Sink:
    """smtp-sink, which counts the mails it took."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._process = Process("bench-sink", ["smtp-sink", "-4", *user, "-c", "-m", "512",
                                               f"127.0.0.1:{self.port}", "1024"], directory)
        wait_until(lambda: self._process.listens(self.port), 10, "smtp-sink listens")

    def count(self) -> int:
        with self._process.out.open("rb") as out:
            out.seek(max(0, out.seek(0, os.SEEK_END) - 200))
            counts = re.findall(rb"mesg=\s*(\d+)", out.read())
        return int(counts[-1]) if counts else 0

    def wait_for(self, messages: int) -> None:
        wait_until(lambda: self.count() >= messages, 600, lambda: f"{messages} mails at the sink, {self.count()} came")

    def close(self) -> None:
        self._process.clean_up()


def measure(server: Server, messages: int, done: Callable[[], None]) -> Run:
    cpu_before = cpu_seconds(server.pid)
    started = time.monotonic()
    generate(server.address, messages)
    done()
    seconds = time.monotonic() - started
    memory = memory_bytes(server.pid)
    # What is written behind (commits of the last outcomes, cleaning up of queue files) belongs to the price.
    time.sleep(2)
    return Run(messages, seconds, cpu_seconds(server.pid) - cpu_before, memory)


@contextlib.contextmanager
def godwit_server(executable: Path, directory: Path, sink_port: int, roles: str = "") -> Iterator[Server]:
    config = {
        "log": {"embedded": {"segment_bytes": 64 << 20, "reserve_segments": 4, "reserve_table_bytes": 512 << 20}},
        "sender": {"routes": [{"domain": "*", "to": f"127.0.0.1:{sink_port}"}]},
    }
    control = {"shaping": [{"default": True, "connection_limit": CONNECTIONS, "max_deliveries_per_connection": 100000}]}
    node = Godwit(executable, directory, config, control)
    if roles:
        node.options = (f"--roles={roles}",)
    try:
        node.start()
        yield Server(node.relay, node.process.pid)
    finally:
        node.close()


@contextlib.contextmanager
def postfix_server(directory: Path, settings: str) -> Iterator[Server]:
    postfix = PostfixServer(directory, settings=POSTFIX_SETTINGS + settings)
    try:
        yield Server((postfix.host, postfix.port), postfix.process.pid)
    finally:
        postfix.close()


WARM_UP = 1000  # processes are started, files made, caches filled


def run_accept(make: Callable[[Path], contextlib.AbstractContextManager[Server]], directory: Path,
               messages: int) -> Run:
    with make(directory) as server:
        generate(server.address, WARM_UP)
        return measure(server, messages, lambda: None)


def run_relay(make: Callable[[Path, int], contextlib.AbstractContextManager[Server]], directory: Path,
              messages: int) -> Run:
    with contextlib.closing(Sink(directory)) as sink, make(directory, sink.port) as server:
        generate(server.address, WARM_UP)
        sink.wait_for(WARM_UP)
        return measure(server, messages, lambda: sink.wait_for(WARM_UP + messages))


def ceiling(directory: Path, messages: int) -> float:
    with contextlib.closing(Sink(directory)) as sink:
        started = time.monotonic()
        generate(("127.0.0.1", sink.port), messages)
        return messages / (time.monotonic() - started)


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


def idle_sessions(executable: Path, directory: Path, certificate: Certificate, sessions: int) -> tuple[int, int]:
    """Memory of Godwit without and with that many TLS sessions that have been idle for some seconds."""
    node = Godwit(executable, directory / "idle", certificate=certificate)
    workers = 4
    with contextlib.closing(node), ProcessPoolExecutor(workers) as pool:
        node.start()
        before = memory_bytes(node.process.pid)
        ready = [directory / f"ready{n}" for n in range(workers)]
        done = directory / "done"
        held = [pool.submit(hold_sessions, node.relay, sessions // workers, str(file), str(done)) for file in ready]
        try:
            wait_until(lambda: all(f.exists() for f in ready) or any(h.done() for h in held), 600, "open sessions")
            time.sleep(IDLE_SECONDS)
            after = memory_bytes(node.process.pid)
        finally:
            done.touch()
        for one in held:
            one.result()
        return before, after


def overtaking(executable: Path, directory: Path, bulk: int) -> Overtaking:
    with contextlib.closing(BenchSink(executable, directory)) as sink:
        config = {"log": {"embedded": {"segment_bytes": 64 << 20}},
                  "sender": {"routes": [{"domain": "*", "to": sink.address}]}}
        with contextlib.closing(Godwit(executable, directory / "node", config, SHAPING)) as node:
            return measure_overtaking(node, sink, bulk, urgent=500, seconds=1200)


@dataclass
class Comparison:
    name: str
    godwit: list[Run] = field(default_factory=list)
    postfix: list[Run] = field(default_factory=list)

    def rows(self) -> list[str]:
        def median(runs: list[Run], what: Callable[[Run], float]) -> float:
            return statistics.median(what(run) for run in runs)

        rate = median(self.godwit, lambda r: r.rate), median(self.postfix, lambda r: r.rate)
        cpu = median(self.godwit, lambda r: r.cpu_ms), median(self.postfix, lambda r: r.cpu_ms)
        memory = (median(self.godwit, lambda r: r.memory_bytes) / 2**20,
                  median(self.postfix, lambda r: r.memory_bytes) / 2**20)
        return [
            f"| {self.name} | messages/s | {rate[0]:,.0f} | {rate[1]:,.0f} | {rate[0] / rate[1]:.1f} times |",
            f"| {self.name} | CPU ms a message | {cpu[0]:.3f} | {cpu[1]:.3f} | 1/{cpu[1] / cpu[0]:.1f} |",
            f"| {self.name} | memory MiB | {memory[0]:,.0f} | {memory[1]:,.0f} | |",
        ]


def version(command: list[str | Path]) -> str:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False).stdout.strip()


def hardware(directory: Path) -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = version(["findmnt", "-n", "-o", "FSTYPE", "-T", directory])
    return f"{len(os.sched_getaffinity(0))} CPUs ({model}), {memory:.0f} GiB, {kind}, Linux {platform.release()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("godwit", type=Path, help="the executable (build/release/bin/godwit)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=40_000, help="for Godwit; Postfix gets a quarter")
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--bulk", type=int, default=1_000_000, help="messages that urgent mail overtakes")
    parser.add_argument("--only", choices=["accept", "relay", "idle", "urgent"])
    parser.add_argument("--directory", type=Path, default=ROOT / "build/bench", help="where queues and logs are")
    arguments = parser.parse_args()
    executable = arguments.godwit.resolve()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    arguments.directory.chmod(0o755)
    top = Path(tempfile.mkdtemp(prefix="pytest-", dir=arguments.directory))
    top.chmod(0o755)

    def fresh(name: str) -> Path:
        path = top / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    few = arguments.messages // POSTFIX_SHARE
    lines = [f"{time.strftime('%Y-%m-%d')}, {hardware(top)}.",
             f"{version([executable, '--version'])}; Postfix {version(['postconf', '-dh', 'mail_version'])}.",
             f"{MESSAGE_BYTES} octets a message, {CONNECTIONS} connections, {arguments.rounds} alternating rounds, "
             f"medians; {arguments.messages:,} messages a round ({few:,} for Postfix).", ""]
    table = ["| | | Godwit | Postfix | Godwit is |", "| --- | --- | --- | --- | --- |"]
    try:
        if arguments.only in (None, "accept", "relay"):
            direct = ceiling(fresh("ceiling"), arguments.messages)
            lines.append(f"Generator straight into the sink: {direct:,.0f} messages/s, the ceiling of this set-up.")
            print(lines[-1], flush=True)
        for name in ("accept", "relay"):
            if arguments.only not in (None, name):
                continue
            comparison = Comparison(name)
            for turn in range(arguments.rounds):
                if name == "accept":
                    godwit = run_accept(lambda d: godwit_server(executable, d, 9, "ingress"), fresh("godwit"),
                                        arguments.messages)
                    postfix = run_accept(lambda d: postfix_server(d, "smtpd_client_restrictions = static:HOLD\n"),
                                         fresh("postfix"), few)
                else:
                    godwit = run_relay(lambda d, p: godwit_server(executable, d, p), fresh("godwit"),
                                       arguments.messages)
                    postfix = run_relay(lambda d, p: postfix_server(d, f"relayhost = [127.0.0.1]:{p}\n"),
                                        fresh("postfix"), few)
                comparison.godwit.append(godwit)
                comparison.postfix.append(postfix)
                print(f"{name} {turn + 1}: Godwit {godwit.rate:,.0f}/s {godwit.cpu_ms:.3f} ms, "
                      f"Postfix {postfix.rate:,.0f}/s {postfix.cpu_ms:.3f} ms", flush=True)
            table += comparison.rows()
        if arguments.only in (None, "idle"):
            before, after = idle_sessions(executable, fresh("idle"), make_certificate(top), arguments.sessions)
            table.append(f"| {arguments.sessions:,} idle TLS sessions | memory MiB | {after / 2**20:,.0f} "
                         f"({before / 2**20:,.0f} without) | | {(after - before) / arguments.sessions / 1024:.1f} KiB a session |")
        if arguments.only in (None, "urgent"):
            measured = overtaking(executable, fresh("urgent"), arguments.bulk)
            table.append(f"| urgent behind {arguments.bulk:,} | ms, p50 and p99 | "
                         f"{1000 * statistics.median(measured.waits):,.0f} and {1000 * measured.p99():,.0f} | | "
                         f"{measured.bulk_delivered:,} bulk messages delivered meanwhile |")
    finally:
        shutil.rmtree(top, ignore_errors=True)
    text = "\n".join([*lines, "", *table])
    print("\n" + text)
    if arguments.only is None:
        (ROOT / "bench/RESULTS.md").write_text(
            "# The last comparison\n\nWritten by `make bench` (bench/compare.py says what is measured, and how).\n\n" + text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
