"""Throughput against cores: the server on some of them, the generator and the sink on the others."""

import contextlib
import os
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.certificates import make_certificate

from compare.loads import LOADS
from compare.measuring import measurement
from compare.peers.godwit import Embedded

# The tools have as many threads as cores of their own.
WORKS = {"accept": replace(LOADS["accept-5k-open"], pipelining="ahead", threads=0),
         "relay": replace(LOADS["relay-5k-open"], pipelining="ahead", threads=0)}
ROUNDS = 3


@contextlib.contextmanager
def tools_on(cores: set[int]) -> Iterator[None]:
    """What is started meanwhile runs there, unless it is told otherwise."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def at_cores(executable: Path, directory: Path, work: str, cores: int, seconds: float, rounds: int) -> tuple[float, float]:
    """Medians of messages/s and CPU ms a message, with the server on that many cores; half of all are the tools'."""
    all_cores = sorted(os.sched_getaffinity(0))
    assert cores < len(all_cores), "the tools need a core, too"
    own = all_cores[:cores]
    theirs = set(all_cores[max(cores, len(all_cores) // 2):])
    peer = Embedded(executable, prefix=("taskset", "-c", ",".join(map(str, own))), changes={"threads": cores})
    runs = []
    for turn in range(rounds):
        below = directory / f"{work}-{cores}-{turn}"
        below.mkdir()
        with tools_on(theirs), measurement(executable, peer, WORKS[work], below, make_certificate(below)) as one:
            runs.append(one.run(one.warm_up(seconds)))
    return statistics.median(run.rate for run in runs), statistics.median(run.cpu_ms for run in runs)


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    available = len(os.sched_getaffinity(0))
    few, many = (1, 4) if available >= 8 else (1, 2)
    answer: dict[str, Any] = {"from_cores": few, "to_cores": many}
    for work in WORKS:
        rates = [at_cores(executable, directory, work, cores, 1 if quick else 4, 1 if quick else ROUNDS)
                 for cores in (few, many)]
        answer |= {f"{work}_per_second_before": rates[0][0], f"{work}_per_second_after": rates[1][0],
                   f"{work}_cpu_ms_before": rates[0][1], f"{work}_cpu_ms_after": rates[1][1],
                   # Far below the cores it had: something else bounds it, the disk or the tools.
                   f"{work}_cores_busy_after": rates[1][0] * rates[1][1] / 1000,
                   f"{work}_of_linear": rates[1][0] / rates[0][0] / (many / few)}
    return answer
