"""What tests/observe asks about the embedded log, of the log on Kafka: every metric is there, and every query and alert
about Kafka finds data while a process is under load with failures. One of its two brokers is not there."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.addresses import free_port
from support.certificates import Certificate
from support.cluster import fresh_prefix, on_kafka
from support.dashboards import queries_of
from support.expressions import without_thresholds
from support.godwit import merged
from support.kafka import Brokers
from support.prometheus import Prometheus, promtool
from support.troubled import Troubled, scraped
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


@pytest.fixture(scope="module")
def troubled(executable: Path, certificate: Certificate, broker: Brokers,
             tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troubled]:
    log = on_kafka(broker, fresh_prefix("observe"), partitions=4)
    nobody = {"log": {"kafka": {"brokers": [*log["log"]["kafka"]["brokers"], f"127.0.0.1:{free_port()}"]}}}
    node = Troubled(executable, tmp_path_factory.mktemp("troubled"), certificate, merged(log, nobody))
    with contextlib.closing(node):
        yield node.start()


@pytest.fixture(scope="module")
def prometheus(troubled: Troubled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraped(troubled, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def test_a_process_has_what_the_page_says(troubled: Troubled) -> None:
    catalogue = troubled.catalogue()
    expected = {name for name in catalogue if not name.startswith("godwit_log_")}
    wait_until(lambda: expected <= set(troubled.exposed()), SECONDS,
               lambda: f"metrics: {sorted(expected - set(troubled.exposed()))}")
    exposed = troubled.exposed()
    assert set(exposed) - expected == set(), "not on the page"
    for name, family in exposed.items():
        said = catalogue[name]
        assert (family.type, family.help) == (said["type"], said["help"]), name
        for series in family.series:
            assert sorted(series) == sorted(said["labels"]), name
    assert promtool("check", "metrics", stdin=troubled.godwit.get("/metrics")[1]) == ""


def test_queries_find_data(prometheus: Prometheus) -> None:
    queries = [query for file in sorted((ROOT / "deploy/grafana").glob("*.json")) for query in queries_of(file)
               if "godwit_kafka_" in query.expression]
    assert queries
    for query in queries:
        wait_until(lambda: prometheus.numbers(query.runnable()), SECONDS, f"data for {query}: {query.runnable()}")


def test_alerts_find_data(prometheus: Prometheus) -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if re.match("GodwitKafka", rule["alert"])]
    assert rules
    for rule in rules:
        for expression in without_thresholds(rule["expr"]):
            wait_until(lambda: prometheus.numbers(expression), SECONDS, f"data for {rule['alert']}: {expression}")
