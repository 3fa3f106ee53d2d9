"""What a message costs when many others wait in the queue: deferred once, parked in the retry table, not due for an hour."""

import contextlib
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.certificates import make_certificate
from support.godwit import Godwit
from support.waiting import wait_until

from compare.loads import LOADS, Load
from compare.measuring import Measurement, Run
from compare.peers.godwit import configuration, control
from compare.peers.peer import Server, Setup
from compare.processes import cpu_seconds
from compare.tools import OurSink, send

LOAD = LOADS["relay-5k-open"]
PARKED = replace(LOAD, name="parked", size=1024, domain="parked.test", pipelining="ahead")
PARK_SECONDS = 900
ROUNDS = 3
# Parking leaves work behind: RocksDB compacts what was written. It belongs to the parked mail, not to what comes after.
SETTLE_SECONDS = 180
CALM_SECONDS, CALM_CPU = 3, 0.05  # share of a processor


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
        self._server = server
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

    def settle(self) -> None:
        """Waits until the node has nothing to do any more."""
        def is_calm() -> bool:
            before = cpu_seconds(self._server.roots)
            time.sleep(CALM_SECONDS)
            return cpu_seconds(self._server.roots) - before < CALM_CPU * CALM_SECONDS

        wait_until(is_calm, SETTLE_SECONDS, "a node without work is calm")

    def close(self) -> None:
        self.node.close()
        self.sink.close()


def medians(runs: list[Run]) -> tuple[float, float]:
    """Of CPU ms a message and of messages/s."""
    return statistics.median(run.cpu_ms for run in runs), statistics.median(run.rate for run in runs)


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    """A node with few and one with many; their runs alternate."""
    depths = (100, 5_000) if quick else (1_000, 1_000_000)
    with contextlib.ExitStack() as stack:
        queues = []
        for depth in depths:
            (directory / str(depth)).mkdir()
            queues.append(stack.enter_context(contextlib.closing(Queue(executable, directory / str(depth)))))
            queues[-1].park(depth)
        messages = [queue.measurement.warm_up(1 if quick else 4) for queue in queues][0]
        for queue in queues:
            queue.settle()
        runs: list[list[Run]] = [[], []]
        for _ in range(ROUNDS):
            for queue, of_it in zip(queues, runs, strict=True):
                of_it.append(queue.measurement.run(messages))
    (few, few_rate), (many, many_rate) = map(medians, runs)
    return {"shallow_messages": depths[0], "shallow_cpu_ms": few, "shallow_per_second": few_rate,
            "deep_messages": depths[1], "deep_cpu_ms": many, "deep_per_second": many_rate}
