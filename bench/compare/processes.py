"""What a server's processes take: processor time, memory, calls that sync. All of /proc, of whole trees of processes."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SYNC_CALLS = ("fsync", "fdatasync", "sync_file_range", "msync", "syncfs", "sync")


def _stat(pid: int) -> list[str]:
    """The fields behind the command of /proc/PID/stat: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def tree(roots: Iterable[int]) -> list[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    members, queue = [], list(roots)
    while queue:
        one = queue.pop()
        members.append(one)
        queue += children.get(one, [])
    return members


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of the trees, also of those members that ended and were waited for by another."""
    ticks = 0
    for member in tree(roots):
        with contextlib.suppress(OSError):
            ticks += sum(int(field) for field in _stat(member)[11:15])
    return ticks / TICKS


@dataclass(frozen=True)
class Memory:
    """Octets. In `shared_once` (PSS) a page that N processes map counts 1/N for each; `private` has none of those."""

    shared_once: int = 0
    private: int = 0

    def peak(self, other: "Memory") -> "Memory":
        return Memory(max(self.shared_once, other.shared_once), max(self.private, other.private))


def memory(roots: Iterable[int]) -> Memory:
    sums = {"Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for member in tree(roots):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in sums:
                    sums[name] += int(rest.split()[0]) * 1024
    return Memory(sums["Pss"], sums["Private_Clean"] + sums["Private_Dirty"])


class MemoryWatch:
    """Looks at the memory of trees from its making to stop(), which returns the peak of what was seen.

    Looking costs what is measured beside it: at most a twentieth of one processor.
    """

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = list(roots)
        self._peak = Memory()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _look(self) -> float:
        begun = time.thread_time()
        self._peak = self._peak.peak(memory(self._roots))
        return time.thread_time() - begun

    def _run(self) -> None:
        pause = 0.5
        while not self._end.wait(pause):
            pause = max(0.5, 20 * self._look())

    def stop(self) -> Memory:
        self._end.set()
        self._thread.join()
        self._look()
        return self._peak


@contextlib.contextmanager
def counted_syncs(roots: Iterable[int], directory: Path) -> Iterator[dict[str, int]]:
    """Counts calls that sync, of the trees and what they start meanwhile, by strace; the dictionary is filled at the end.

    Everything is many times slower meanwhile, so nothing else is measured.
    """
    out = directory / "strace.txt"
    pids = [argument for pid in tree(roots) for argument in ("-p", str(pid))]
    with (directory / "strace.err").open("wb") as errors:
        child = subprocess.Popen(["strace", "-f", "-c", "-o", out, "-e", "trace=" + ",".join(SYNC_CALLS), *pids],
                                 stderr=errors, stdin=subprocess.DEVNULL)
    calls: dict[str, int] = {}
    try:
        deadline = time.monotonic() + 30
        wanted = {str(pid) for pid in tree(roots)}
        while (attached := wanted - _traced_by(child.pid, wanted)) and time.monotonic() < deadline:
            time.sleep(0.05)
            wanted = {str(pid) for pid in tree(roots)}
        if attached:
            raise AssertionError(f"strace did not attach to {sorted(attached)[:5]}")
        yield calls
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)
    for line in out.read_text().splitlines():
        if match := re.match(rf"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?({'|'.join(SYNC_CALLS)})$", line):
            calls[match[2]] = int(match[1])


def _traced_by(tracer: int, pids: set[str]) -> set[str]:
    found = set()
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            found.add(pid)  # ended meanwhile
            continue
        if f"TracerPid:\t{tracer}\n" in status or "State:\tZ" in status:
            found.add(pid)
    return found
