"""Accept to first attempt through three real brokers, each role in a process of its own.

    make bench                                             with the others
    .venv/bin/python bench/kafka.py GODWIT --seconds 60 --rate 1000 [--set log.kafka.commit_interval=50ms]

`godwit bench source` sends at a rate and notes when each message was acknowledged; `godwit bench sink` notes when each
was complete. Printed are percentiles of the difference, one message with the other by Message-ID; wanted are 250 ms at
p50 and 600 ms at p99. Those of the first `--warm-up` seconds do not count: a broker that has just started runs code that
is not compiled, three times as slow. Replicas are in this machine's page cache. Beside them stands what explains them:
how long transactions took and how many there were, the processors each process had, and how many others wanted them (the
load average). Topics have 4 partitions: every replica fetch looks at each of a broker's partitions, and three brokers
share this machine's processors with everything else.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.bench import BenchSink  # noqa: E402
from support.cluster import ROLES, Cluster  # noqa: E402
from support.godwit import merged  # noqa: E402
from support.kafka import KafkaCluster  # noqa: E402
from support.waiting import wait_until  # noqa: E402

WANTED_MS = {50: 250, 99: 600}
NO_LIMITS = {"shaping": [{"default": True, "connection_limit": 50, "max_message_rate": "100000/s"}]}


def times(lines: list[dict[str, Any]]) -> dict[str, float]:
    """When each message was first there."""
    found: dict[str, float] = {}
    for line in lines:
        if line["outcome"] == "accepted":
            found.setdefault(line["message_id"], datetime.fromisoformat(line["time"]).timestamp())
    return found


def nested(key: str, value: str) -> dict[str, Any]:
    """"a.b" and "1" are {"a": {"b": 1}}."""
    result: Any = int(value) if value.isdigit() else value
    for part in reversed(key.split(".")):
        result = {part: result}
    return result  # type: ignore[no-any-return]


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def explained(cluster: Cluster, brokers: KafkaCluster) -> Iterator[None]:
    """Prints what the processes did meanwhile."""
    pids = {role: cluster[role].process.pid for role in ROLES}  # type: ignore[union-attr]
    pids |= {f"broker{number}": process.pid for number, process in enumerate(brokers.processes) if process}
    groups = [role for role in ROLES if role != "ingress"]

    def transactions() -> dict[str, tuple[float, float]]:
        return {role: (cluster[role].metric("godwit_kafka_commit_seconds_sum"),
                       cluster[role].metric("godwit_kafka_commit_seconds_count")) for role in groups}

    started, before, used = time.monotonic(), transactions(), {name: processor_seconds(pid) for name, pid in pids.items()}
    yield
    seconds = time.monotonic() - started
    for role, (total, count) in transactions().items():
        total, count = total - before[role][0], count - before[role][1]
        print(f"{role}: {count / seconds:.0f} transactions/s of {total / max(count, 1) * 1000:.0f} ms")
    print("processors: " + ", ".join(f"{name} {(processor_seconds(pid) - used[name]) / seconds:.2f}" for name, pid in pids.items()) +
          f" of {os.cpu_count()}; load average {os.getloadavg()[0]:.1f}")


def measure(executable: Path, directory: Path, rate: int, warm_up: int, seconds: int, settings: dict[str, Any]) -> list[float]:
    """Milliseconds from each acknowledgement behind the warm-up to the end of the first attempt, ascending."""
    kafka_settings = settings.get("log", {}).get("kafka", {})
    with contextlib.ExitStack() as stack:
        def own(thing: Any) -> Any:
            return stack.enter_context(contextlib.closing(thing))

        brokers = own(KafkaCluster(directory / "brokers", brokers=3, short_lived=False)).start()
        sink = own(BenchSink(executable, directory))
        cluster = own(Cluster(brokers, executable, directory / "godwit",
                              merged({"sender": {"routes": [{"domain": "*", "to": sink.address}]}}, settings), NO_LIMITS,
                              settings={"partitions": 4, **kafka_settings})).start()
        host, port = cluster.relay
        sent = directory / "sent.ledger"
        with explained(cluster, brokers):
            whole = warm_up + seconds
            done = cluster.command("bench", "source", "--to", f"{host}:{port}", "--duration", f"{whole}s", "--rate", rate,
                                   "--messages", rate * whole, "--connections", "50", "--domains", "bench.test",
                                   "--domain-count", "100", "--threads", "1", "--ledger", sent, seconds=whole + 60)
            assert done.returncode == 0, done.stderr
        acknowledged = times([json.loads(line) for line in sent.read_text().splitlines()])
        wait_until(lambda: len(sink.ledger()) >= len(acknowledged), 120,
                   lambda: f"everything at the sink: {cluster.audit(60)}, deferred {cluster.events('--type', 'deferred')[:5]}")
        arrived = times(sink.ledger())
        start = min(acknowledged.values()) + warm_up
        counted = {name: at for name, at in acknowledged.items() if at >= start}
        print(f"{len(acknowledged)} acknowledged, {len(counted) / seconds:.0f}/s behind the warm-up, "
              f"{len(acknowledged.keys() - arrived.keys())} missing")
        assert acknowledged.keys() <= arrived.keys()
        return sorted((arrived[name] - at) * 1000 for name, at in counted.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("godwit", type=Path)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of the configuration")
    arguments = parser.parse_args()
    settings: dict[str, Any] = {}
    for one in arguments.set:
        settings = merged(settings, nested(*one.split("=", 1)))
    with tempfile.TemporaryDirectory(prefix="godwit-bench-kafka-") as directory:
        waits = measure(arguments.godwit.resolve(), Path(directory), arguments.rate, arguments.warm_up,
                        arguments.seconds, settings)
    missed = False
    for percent in (50, 90, 99, 99.9):
        wait = waits[min(len(waits) - 1, int(len(waits) * percent / 100))]
        wanted = WANTED_MS.get(int(percent)) if percent == int(percent) else None
        missed |= wanted is not None and wait > wanted
        print(f"p{percent:g}  {wait:.0f} ms" + (f"  (wanted {wanted})" if wanted else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
