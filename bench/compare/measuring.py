"""One run of one load against one server: what it took."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from support.certificates import Certificate

from compare.loads import CONNECTIONS, Load
from compare.peers.peer import Peer, Server, Setup
from compare.processes import MemoryWatch, counted_syncs, cpu_seconds
from compare.tools import Sent, Sink, make_sink, send

FIRST_MESSAGES = 2 * CONNECTIONS  # processes are started, files made, caches filled
PILOT_SECONDS = 1.0  # a pilot that took less says too little about how many messages fill a run
MESSAGES_MAX = 200_000
# What is written behind (commits of the last outcomes, cleaning up of queue files) belongs to the price.
SETTLE_SECONDS = 2
SYNC_MESSAGES = 500


@dataclass(frozen=True)
class Run:
    """Seconds are from the first connection to the last 250 (accept), or to the last mail at the sink (relay)."""

    messages: int
    seconds: float
    cpu_seconds: float
    brokers_cpu_seconds: float
    memory_octets: int
    private_octets: int
    p50_ms: float | None
    p99_ms: float | None
    log_octets: int | None

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Of one message; as a number the same as CPU seconds of 1,000 messages."""
        return 1000 * self.cpu_seconds / self.messages

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Measurement:
    """A server that runs, its sink, and loads sent through both."""

    def __init__(self, executable: Path, load: Load, server: Server, sink: Sink | None) -> None:
        self._executable, self._load, self.server, self._sink = executable, load, server, sink
        self._sent = 0

    def push(self, messages: int) -> tuple[float, Sent]:
        """Sends, and waits until it is done with; returns the seconds it took."""
        self._sent += messages
        begun = time.monotonic()
        sent = send(self._executable, self._load, self.server.address, messages)
        if self._sink:
            self._sink.wait_for(self._sent)
        return time.monotonic() - begun, sent

    def warm_up(self, seconds: float) -> int:
        """Returns how many messages will take about that long. Slow servers are not asked for many."""
        taken, _ = self.push(FIRST_MESSAGES)
        messages = FIRST_MESSAGES
        while taken < min(PILOT_SECONDS, seconds / 2) and messages < MESSAGES_MAX:
            messages *= 4 if taken < PILOT_SECONDS / 4 else 2
            taken, _ = self.push(messages)
        return max(FIRST_MESSAGES, min(MESSAGES_MAX, int(messages / taken * seconds)))

    def run(self, messages: int) -> Run:
        server = self.server
        octets = server.log_octets() if server.log_octets else 0
        cpu, brokers_cpu = cpu_seconds(server.roots), cpu_seconds(server.brokers)
        watch = MemoryWatch(server.roots)
        try:
            seconds, sent = self.push(messages)
        finally:
            peak = watch.stop()
        time.sleep(SETTLE_SECONDS)
        return Run(messages, seconds, cpu_seconds(server.roots) - cpu, cpu_seconds(server.brokers) - brokers_cpu,
                   peak.shared_once, peak.private, sent.p50_ms, sent.p99_ms,
                   server.log_octets() - octets if server.log_octets else None)


@contextlib.contextmanager
def measurement(executable: Path, peer: Peer, load: Load, directory: Path,
                certificate: Certificate) -> Iterator[Measurement]:
    """Starts what the load needs, in a directory that is empty, and ends it."""
    load = peer.adapted(load)
    with contextlib.ExitStack() as stack:
        sink = None
        if load.work == "relay" and peer.name != "direct":
            sink = make_sink(executable, directory, load)
            stack.callback(sink.close)
        server = peer.start(Setup(directory, load, sink.address if sink else None, certificate))
        stack.callback(server.close)
        yield Measurement(executable, load, server, sink)


def measure(executable: Path, peer: Peer, load: Load, directory: Path, certificate: Certificate, seconds: float) -> Run:
    with measurement(executable, peer, load, directory, certificate) as one:
        return one.run(one.warm_up(seconds))


def count_syncs(executable: Path, peer: Peer, load: Load, directory: Path, certificate: Certificate) -> float:
    """Calls that sync, a message, in a short run of its own: strace makes everything slow."""
    with measurement(executable, peer, load, directory, certificate) as one:
        one.push(FIRST_MESSAGES)
        with counted_syncs(one.server.roots, directory) as calls:
            one.push(SYNC_MESSAGES)
            time.sleep(SETTLE_SECONDS)
        return sum(calls.values()) / SYNC_MESSAGES

