"""docs/metrics.md says what /metrics says: both come from the definitions beside the code that counts."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.exposition import Family
from support.troubled import Troubled
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/metrics.md"
BY_DOMAIN = "godwit_sender_queue_recipients_by_domain"


def on_the_embedded_log(catalogue: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name in catalogue if not name.startswith("godwit_kafka_")}


@pytest.fixture(scope="module")
def catalogue(troubled: Troubled) -> dict[str, dict[str, Any]]:
    return troubled.catalogue()


@pytest.fixture(scope="module")
def exposed(troubled: Troubled, catalogue: dict[str, dict[str, Any]]) -> dict[str, Family]:
    """What the process shows once everything has happened that the load makes happen; else what is there by then."""
    latest: dict[str, Family] = {}

    def all_there() -> bool:
        latest.update(troubled.exposed())
        return on_the_embedded_log(catalogue) <= set(latest)

    with contextlib.suppress(AssertionError):
        wait_until(all_there, 15, "every metric")
    return latest


def test_the_page_is_current(troubled: Troubled) -> None:
    done = troubled.godwit.command("metrics")
    assert done.returncode == 0, done.stderr
    assert PAGE.read_text() == done.stdout, "build/test/bin/godwit metrics > docs/metrics.md"


def test_a_process_has_what_the_page_says(catalogue: dict[str, dict[str, Any]], exposed: dict[str, Family]) -> None:
    expected = on_the_embedded_log(catalogue)
    assert expected - set(exposed) == set(), "never shown"
    assert set(exposed) - expected == set(), "not on the page"


def test_types_help_and_labels_are_those_of_the_page(catalogue: dict[str, dict[str, Any]],
                                                     exposed: dict[str, Family]) -> None:
    for name, family in exposed.items():
        said = catalogue[name]
        assert (family.type, family.help) == (said["type"], said["help"]), name
        for series in family.series:
            assert sorted(series) == sorted(said["labels"]), name
        bounds = {float(bound) for bound in family.bounds} - {float("inf")}
        assert bounds == set(said["bounds"]), name


def test_each_label_is_explained(catalogue: dict[str, dict[str, Any]]) -> None:
    section = PAGE.read_text().split("## Labels")[1].split("\n## ")[0]
    explained = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    assert set(explained) == {label for one in catalogue.values() for label in one["labels"]}


def test_labels_are_of_closed_sets(troubled: Troubled, exposed: dict[str, Family]) -> None:
    """No domain, address or id of the mail is a label's value, but for the few domains with the most mail."""
    assert 0 < len(exposed[BY_DOMAIN].series) <= 20, "sender.metric_domains_max"
    for name, family in exposed.items():
        for series in family.series:
            for label, value in series.items():
                if label != "version" and (name, label) != (BY_DOMAIN, "domain"):
                    assert not re.search(r"[.@:\[]", value) or value in troubled.topics, f"{name}: {label}={value}"


def test_promtool_is_content(troubled: Troubled, promtool: Callable[..., str]) -> None:
    assert promtool("check", "metrics", stdin=troubled.godwit.get("/metrics")[1]) == ""
