"""What a message costs when many others wait in the queue: deferred once, parked in the retry table, not due for an hour."""

import contextlib
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.bench import BenchSink
from support.certificates import make_certificate
from support.godwit import Godwit
from support.waiting import wait_until

from compare.loads import LOADS, Load
from compare.measuring import Measurement
from compare.peers.godwit import configuration, control
from compare.peers.peer import Server, Setup
from compare.tools import OurSink, send

LOAD = LOADS["relay-5k-open"]
PARKED = replace(LOAD, name="parked", size=1024, domain="parked.test", pipelining="ahead")
PARK_SECONDS = 900
ROUNDS = 3


class Queue:
    """A node with mail that waits, and a load of other mail that goes through."""

    def __init__(self, executable: Path, directory: Path, load: Load = LOAD) -> None:
        self._executable = executable
        self.sink = OurSink(executable, directory, load, '{stage: rcpt, domain: "*.parked.test", reply: "451 4.2.1 Later"}')
        setup = Setup(directory, load, self.sink.address, make_certificate(directory))
        self.node = Godwit(executable, directory / "node", configuration(setup), control(load))
        try:
            self.node.start()
        except BaseException:
            self.close()
            raise
        assert self.node.process
        server = Server(self.node.relay, [self.node.process.pid], self.node.close)
        self.measurement = Measurement(executable, load, server, self.sink)
        self.parked = 0

    def park(self, messages: int) -> None:
        """Has that many more wait."""
        chunk = 50_000
        while messages:
            now = min(messages, chunk)
            send(self._executable, PARKED, self.node.relay, now, seconds=PARK_SECONDS)
            messages -= now
            self.parked += now
        wait_until(lambda: self.node.metric("godwit_sender_deliveries_parked_total") >= self.parked, PARK_SECONDS,
                   lambda: f"{self.parked} parked: {self.node.metric('godwit_sender_deliveries_parked_total')}")

    def costs(self, messages: int, rounds: int) -> tuple[float, float]:
        """Medians of CPU ms a message and of messages/s."""
        runs = [self.measurement.run(messages) for _ in range(rounds)]
        return statistics.median(run.cpu_ms for run in runs), statistics.median(run.rate for run in runs)

    def close(self) -> None:
        self.node.close()
        self.sink.close()


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    shallow, deep = (100, 5_000) if quick else (1_000, 1_000_000)
    with contextlib.closing(Queue(executable, directory)) as queue:
        queue.park(shallow)
        messages = queue.measurement.warm_up(1 if quick else 4)
        few = queue.costs(messages, ROUNDS)
        queue.park(deep - shallow)
        many = queue.costs(messages, ROUNDS)
    return {"shallow_messages": shallow, "shallow_cpu_ms": few[0], "shallow_per_second": few[1],
            "deep_messages": deep, "deep_cpu_ms": many[0], "deep_per_second": many[1]}
