"""Acceptance into three Kafka brokers beside librdkafka's own producer benchmark: same brokers, same record size."""

import contextlib
import re
import statistics
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic
from support.certificates import make_certificate

from compare.loads import LOADS
from compare.measuring import measurement
from compare.peers.godwit import PARTITIONS_ON_KAFKA, OnKafka

ROOT = Path(__file__).resolve().parents[3]
# A connection has one message that is not acknowledged; the producer benchmark has as many as its queue holds.
LOAD = replace(LOADS["accept-5k-open"], connections=1_000)
TOPIC = "bench-producer"
BUILD_SECONDS, RUN_SECONDS = 300, 120


def produce(program: Path, bootstrap: str, octets: int, records: int) -> float:
    """Records/s of rdkafka_performance, all of them acknowledged by all replicas."""
    done = subprocess.run([program, "-P", "-t", TOPIC, "-s", str(octets), "-c", str(records), "-b", bootstrap, "-a", "-1",
                           "-X", "enable.idempotence=true", "-z", "none"],
                          capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    last = [line for line in (done.stdout + done.stderr).splitlines() if " delivered " in line and " msgs/s" in line]
    assert done.returncode == 0 and last, (done.stdout + done.stderr)[-800:]
    match = re.search(r"(\d+) delivered \(offset [^,]*, (\d+) failed\).* in (\d+)ms: (\d+) msgs/s", last[-1])
    assert match and int(match[1]) == records and int(match[2]) == 0, last[-1]
    return float(match[4])


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    program = subprocess.run([ROOT / "scripts/rdkafka_performance"], stdout=subprocess.PIPE, text=True, check=True,
                             timeout=BUILD_SECONDS).stdout.strip()
    peer = OnKafka(executable, 3, directory)
    with contextlib.closing(peer):
        brokers = peer.started()
        admin = AdminClient({"bootstrap.servers": brokers.bootstrap})
        topic = NewTopic(TOPIC, PARTITIONS_ON_KAFKA, 3, config={"min.insync.replicas": "2"})
        for future in admin.create_topics([topic], operation_timeout=30).values():
            future.result(60)
        ours, theirs, octets = [], [], 0.0
        for turn in range(1 if quick else 3):
            below = directory / f"turn{turn}"
            below.mkdir()
            with measurement(executable, peer, LOAD, below, make_certificate(below)) as one:
                run = one.run(one.warm_up(1 if quick else 5))
            assert run.log_octets
            octets = run.log_octets / run.messages
            ours.append(run.rate)
            produce(Path(program), brokers.bootstrap, round(octets), min(run.messages, 2000))
            theirs.append(produce(Path(program), brokers.bootstrap, round(octets), run.messages))
    return {"godwit_per_second": statistics.median(ours), "librdkafka_per_second": statistics.median(theirs),
            "record_octets": octets}
