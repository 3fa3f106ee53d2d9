"""The alerts of deploy/prometheus: their own tests pass, each has a runbook and a test, and each expression finds
data on a real Prometheus."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.expressions import without_thresholds
from support.prometheus import Prometheus
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy/prometheus/alerts.yaml"
TESTS = ROOT / "deploy/prometheus/tests/alerts.yaml"
RUNBOOKS = ROOT / "docs/operations/runbooks.md"
SEVERITIES = {"critical", "warning", "info"}

ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in yaml.safe_load(FILE.read_text())["groups"]
                                     for rule in group["rules"]}
HERE = {name: rule for name, rule in ALERTS.items() if not name.startswith("GodwitKafka")}


def test_the_file_is_one_for_prometheus(promtool: Callable[..., str]) -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", FILE)


def test_each_fires_when_it_should_and_only_then(promtool: Callable[..., str]) -> None:
    assert "SUCCESS" in promtool("test", "rules", TESTS)


def test_each_is_seen_firing() -> None:
    """So that nobody adds an alert and forgets its test."""
    sick = yaml.safe_load(TESTS.read_text())["tests"][0]
    firing = set(re.findall(r'alertname="(\w+)"', str(sick["promql_expr_test"])))
    assert firing == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/operations/runbooks.md#{name.lower()}"


def test_each_has_a_runbook() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sections == list(dict.fromkeys(sections))
    assert set(sections) == set(ALERTS)
    for section in RUNBOOKS.read_text().split("\n### ")[1:]:
        for part in ("**Means** ", "**Look** ", "**Do** "):
            assert f"\n{part}" in section, section.splitlines()[0]


@pytest.mark.parametrize("name", HERE)
def test_finds_data(prometheus: Prometheus, name: str) -> None:
    for expression in without_thresholds(ALERTS[name]["expr"]):
        wait_until(lambda: prometheus.numbers(expression), 20, f"data for {expression}")
