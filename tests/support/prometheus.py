"""Debian's Prometheus, as tests need it: promtool, and a server that scrapes what it is told to."""

import json
import math
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from support.addresses import free_port
from support.process import Process
from support.waiting import wait_until


def promtool(*arguments: str | Path, stdin: str | None = None) -> str:
    """What it printed; it has to be content."""
    found = shutil.which("promtool")
    assert found, "promtool is not there: scripts/deps test"
    done = subprocess.run([found, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, f"promtool {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
    return done.stdout


class Prometheus:
    """Scrapes `targets` ("127.0.0.1:9090") every second, each with the labels that Kubernetes would give it."""

    def __init__(self, directory: Path, targets: Sequence[tuple[str, dict[str, str]]]) -> None:
        found = shutil.which("prometheus")
        assert found, "prometheus is not there: scripts/deps test"
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "prometheus.yml"
        config.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "godwit", "static_configs": [
                {"targets": [target], "labels": labels} for target, labels in targets]}]}))
        self._targets = len(targets)
        self._port = free_port()
        self._process = Process("prometheus", [found, f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                                               f"--web.listen-address=127.0.0.1:{self._port}"], directory)

    def wait_until_up(self, scrapes: int = 1, seconds: float = 30) -> None:
        """Each target was scraped that many times at least."""
        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=20):
                    return True
            except OSError:  # it does not listen yet, or answers 503
                return False

        wait_until(ready, seconds, "Prometheus is ready")
        wait_until(lambda: len(self.query(f"count_over_time(up[10m]) >= {scrapes} and up == 1")) == self._targets,
                   seconds, "every target scraped")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query now."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{expression}: {refusal.read().decode()}") from None
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result if answer["data"]["resultType"] == "vector" else [{"metric": {}, "value": result}]

    def numbers(self, expression: str) -> list[float]:
        """The values of its series that are numbers: a quantile of nothing is none."""
        values = [float(series["value"][1]) for series in self.query(expression)]
        return [value for value in values if not math.isnan(value)]

    def label_values(self, label: str, metric: str) -> list[str]:
        url = (f"http://127.0.0.1:{self._port}/api/v1/label/{label}/values?" +
               urllib.parse.urlencode({"match[]": metric}))
        with urllib.request.urlopen(url, timeout=20) as response:
            values: list[str] = json.load(response)["data"]
        return values

    def close(self) -> None:
        self._process.clean_up()
