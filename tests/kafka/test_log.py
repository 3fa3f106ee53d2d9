"""The C++ tests of the log that need a broker: its conformance suite, case by case."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.kafka import KafkaCluster

SECONDS = 300


@pytest.fixture(scope="module")
def report(executable: Path, broker: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of each case, by its name: empty, or why it failed."""
    test = executable.parents[1] / "common/log/kafka/log_kafka_test"
    out = tmp_path_factory.mktemp("log_kafka") / "report.json"
    done = subprocess.run([test], timeout=SECONDS, check=False, capture_output=True, text=True,
                          env={**os.environ, "GODWIT_KAFKA_BROKERS": broker.bootstrap, "GTEST_OUTPUT": f"json:{out}"})
    assert out.is_file(), f"log_kafka_test ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    cases = {}
    for suite in json.loads(out.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            failures = [failure["failure"] for failure in case.get("failures", [])]
            ran = case["status"] == "RUN" and case["result"] == "COMPLETED"
            cases[f"{suite['name']}.{case['name']}"] = "\n".join(failures) if ran else f"it was {case['result']}"
    return cases


def test_conformance(report: dict[str, str]) -> None:
    conformance = {name: failure for name, failure in report.items() if "LogConformance" in name}
    assert len(conformance) >= 27
    assert {name: failure for name, failure in conformance.items() if failure} == {}


def test_what_is_kafkas_own(report: dict[str, str]) -> None:
    own = {name: failure for name, failure in report.items() if "LogConformance" not in name}
    assert own
    assert {name: failure for name, failure in own.items() if failure} == {}
