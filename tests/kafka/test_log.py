"""The C++ tests of the log that need a broker, in shards side by side: its conformance suite and what is Kafka's own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.kafka import Brokers

SHARDS = 6
SECONDS = 170
# Of these there are cases, at least as many as there were once.
SUITES = {"Kafka/LogConformance": 27, "KafkaOwnership": 7, "KafkaClusterWatch": 1, "TransactionLaneTest": 5,
          "ConsumerTest": 2, "GroupMemberTest": 2}


@pytest.fixture(scope="module")
def binary(executable: Path) -> Path:
    return executable.parents[1] / "common/log/kafka/log_kafka_test"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_shard(binary: Path, broker: Brokers, tmp_path: Path, shard: int) -> None:
    out = tmp_path / "report.json"
    done = subprocess.run([binary], timeout=SECONDS, check=False, capture_output=True, text=True,
                          env={**os.environ, "GODWIT_KAFKA_BROKERS": broker.bootstrap, "GTEST_OUTPUT": f"json:{out}",
                               "GTEST_TOTAL_SHARDS": str(SHARDS), "GTEST_SHARD_INDEX": str(shard)})
    assert out.is_file(), f"log_kafka_test ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    ran, failed = 0, {}
    for suite in json.loads(out.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            if case["status"] != "RUN":
                continue  # another shard's
            ran += 1
            if case["result"] != "COMPLETED" or "failures" in case:
                failed[f"{suite['name']}.{case['name']}"] = [failure["failure"] for failure in case.get("failures", [])]
    assert failed == {}
    assert ran > 0 and done.returncode == 0, done.stderr[-4000:]


def test_nothing_is_left_out(binary: Path) -> None:
    listed = subprocess.run([binary, "--gtest_list_tests"], check=True, capture_output=True, text=True).stdout
    counts: dict[str, int] = {}
    for line in listed.splitlines():
        if line.startswith("  "):
            counts[suite] += 1
        elif line.endswith("."):
            suite = line[:-1]
            counts[suite] = 0
    assert {name: counts.get(name, 0) >= count for name, count in SUITES.items()} == dict.fromkeys(SUITES, True), counts
    assert "DISABLED_" not in listed
