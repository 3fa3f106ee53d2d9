"""How long urgent mail waits behind bulk mail of its lane: from its 250 to the end of its first attempt."""

import contextlib
import statistics
from pathlib import Path
from typing import Any

from support.bench import BenchSink
from support.godwit import Godwit
from support.overtaking import SHAPING, measure_overtaking

URGENT = 500


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    bulk = 20_000 if quick else 1_000_000
    with contextlib.closing(BenchSink(executable, directory)) as sink:
        config = {"log": {"embedded": {"segment_bytes": 64 << 20}},
                  "sender": {"routes": [{"domain": "*", "to": sink.address}]}}
        with contextlib.closing(Godwit(executable, directory / "node", config, SHAPING)) as node:
            measured = measure_overtaking(node, sink, bulk, urgent=URGENT, seconds=600)
    return {"bulk_messages": bulk, "p50_ms": 1000 * statistics.median(measured.waits), "p99_ms": 1000 * measured.p99(),
            "bulk_delivered_meanwhile": measured.bulk_delivered}
