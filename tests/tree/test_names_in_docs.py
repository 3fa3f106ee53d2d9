"""Keys of the configuration, values of the chart and metrics that documentation for operators names: they exist."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# reliability.md has names of kill points, which look like keys.
PAGES = [ROOT / "README.md", *(page for page in DOCS.glob("*.md") if page.name != "reliability.md"),
         *(DOCS / "operations").glob("*.md")]

# `sender.retry.age`; not a file, and not a word with a space in it.
DOTTED = re.compile(r"`([a-z][a-z_A-Z]*(?:\.[a-z][a-z_A-Z0-9]*)+)(?::[^`]*)?`")
FILE = re.compile(r"\.(?:yaml|md|py|cc|h|json|proto|jsonl|crt|key|service|pem|tar|sh|properties)$")
# What looks like a key and is none: a file below data_dir.
OTHERS = {"admin.address"}


def configuration_keys() -> set[str]:
    rows = re.findall(r"^\| `([^`]+)` \|", (DOCS / "configuration.md").read_text(), re.MULTILINE)
    return {row.replace("[]", "") for row in rows}


def chart_values(values: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        found.add(above + key)
        if isinstance(value, dict):
            found |= chart_values(value, f"{above}{key}.")
    return found


def unknown_keys(page: str, keys: set[str], values: set[str]) -> list[str]:
    """Dotted names that begin as a key or a value does, and are none."""
    first = {key.split(".")[0] for key in keys | values}
    return [name for name in DOTTED.findall(page)
            if name.split(".")[0] in first and not FILE.search(name)
            and name not in keys | values | OTHERS and not name.startswith("config.")]


def unknown_metrics(page: str, metrics: str) -> list[str]:
    known = set(re.findall(r"^\| `(godwit_\w+)` \|", metrics, re.MULTILINE))
    series = known | {name + suffix for name in known for suffix in ("_count", "_sum", "_bucket")}
    return [name for name in re.findall(r"\b(godwit_[a-z_]*[a-z])\b(?!\*)", page) if name not in series]


def test_keys_and_values_exist() -> None:
    keys, values = configuration_keys(), chart_values(yaml.safe_load((ROOT / "deploy/helm/godwit/values.yaml").read_text()))
    assert len(keys) > 150 and len(values) > 150
    wrong = [f"{page.relative_to(ROOT)}: {name}" for page in PAGES for name in unknown_keys(page.read_text(), keys, values)]
    assert not wrong, "\n".join(wrong)


def test_metrics_exist() -> None:
    metrics = (DOCS / "metrics.md").read_text()
    wrong = [f"{page.relative_to(ROOT)}: {name}" for page in PAGES for name in unknown_metrics(page.read_text(), metrics)]
    assert not wrong, "\n".join(wrong)


def test_what_does_not_exist_is_found() -> None:
    keys, values = {"sender", "sender.retry", "sender.retry.age"}, {"kafka", "kafka.brokers"}
    assert unknown_keys("`sender.retry.age`, `sender.retry: 5`, `kafka.brokers`, `sender.md`", keys, values) == []
    assert unknown_keys("`sender.retry.ages` and `kafka.broker`", keys, values) == ["sender.retry.ages", "kafka.broker"]
    metrics = "| `godwit_a_total` | counter |\n| `godwit_b_seconds` | histogram |\n"
    assert unknown_metrics("`godwit_a_total{x}`, `godwit_b_seconds_count`, `godwit_c`", metrics) == ["godwit_c"]
