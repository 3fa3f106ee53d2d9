"""Grafana's dashboards, as far as tests read them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What Grafana puts in for its variables: everything, and a few scrapes of the tests' Prometheus.
ALL, INTERVAL = ".*", "10s"


@dataclass(frozen=True)
class Query:
    dashboard: str
    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"

    def runnable(self) -> str:
        text = self.expression.replace("$__rate_interval", INTERVAL)
        text = re.sub(r'"\$\w+"', f'"{ALL}"', text)
        assert "$" not in text, f"{self}: an unknown variable in {text}"
        return text


def queries_of(file: Path) -> Iterator[Query]:
    for panel in json.loads(file.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield Query(file.stem, panel["title"], target["expr"])
