"""What was measured, kept in a file: results.json survives an end in the middle."""

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compare.measuring import Run


@dataclass(frozen=True)
class Row:
    """Medians over the rounds of one load against one peer."""

    rounds: int
    rate: float
    cpu_ms: float
    brokers_cpu_ms: float
    memory_mib: float
    private_mib: float
    p50_ms: float | None
    p99_ms: float | None
    log_octets: float | None  # a message
    syncs: float | None = None


@dataclass
class Results:
    file: Path
    keep: bool = False
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    runs: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    sync_counts: dict[str, dict[str, float]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _KEPT = ("machine", "versions", "missing", "failed", "runs", "sync_counts", "answers")

    def __post_init__(self) -> None:
        if self.keep and self.file.exists():
            for name, value in json.loads(self.file.read_text()).items():
                setattr(self, name, value)
        self._replaced: set[tuple[str, str]] = set()

    def save(self) -> None:
        self.file.write_text(json.dumps({name: getattr(self, name) for name in self._KEPT}, indent=1) + "\n")

    def add(self, load: str, peer: str, run: Run) -> None:
        """Rounds of one call belong together: its first run takes the place of those of an earlier call."""
        of_load = self.runs.setdefault(load, {})
        if (load, peer) not in self._replaced:
            self._replaced.add((load, peer))
            of_load[peer] = []
        of_load[peer].append(run.as_json())

    def set_syncs(self, load: str, peer: str, count: float) -> None:
        self.sync_counts.setdefault(load, {})[peer] = count

    def row(self, load: str, peer: str) -> Row | None:
        runs = [Run(**run) for run in self.runs.get(load, {}).get(peer, [])]
        if not runs:
            return None

        def median(values: list[float | None]) -> float | None:
            there = [value for value in values if value is not None]
            return statistics.median(there) if there else None

        return Row(len(runs), statistics.median(run.rate for run in runs), statistics.median(run.cpu_ms for run in runs),
                   statistics.median(1000 * run.brokers_cpu_seconds / run.messages for run in runs),
                   statistics.median(run.memory_octets for run in runs) / 2**20,
                   statistics.median(run.private_octets for run in runs) / 2**20,
                   median([run.p50_ms for run in runs]), median([run.p99_ms for run in runs]),
                   median([run.log_octets / run.messages if run.log_octets is not None else None for run in runs]),
                   self.sync_counts.get(load, {}).get(peer))
