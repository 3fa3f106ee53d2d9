"""What bench/smoke.py makes of counts: when it fails."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import smoke  # noqa: E402

BASELINE = {"instructions": 1000, "octets_copied": 0, "allocations": 2.0}


@pytest.mark.parametrize(("change", "good"), [
    ({}, True),
    ({"instructions": 1100}, True),
    ({"instructions": 1101}, False),
    ({"instructions": 100}, True),
    ({"octets_copied": 64}, True),
    ({"octets_copied": 65}, False),
    ({"allocations": 2.7}, True),
    ({"allocations": 3.0}, False),
])
def test_ten_percent_over_the_baseline_fails(change: dict[str, float], good: bool) -> None:
    assert smoke.judge(smoke.Count("x", {**BASELINE, **change}), BASELINE).good == good


def test_a_saving_asks_for_a_new_baseline() -> None:
    assert "new baseline" in smoke.judge(smoke.Count("x", {**BASELINE, "instructions": 800}), BASELINE).line
    assert "new baseline" not in smoke.judge(smoke.Count("x", BASELINE), BASELINE).line


def test_what_cannot_be_compared_fails() -> None:
    assert not smoke.judge(smoke.Count("x", error="exit status 134"), BASELINE).good
    assert not smoke.judge(smoke.Count("x", BASELINE), None).good
    verdicts = smoke.compare([smoke.Count("there", BASELINE)], {"there": BASELINE, "gone": BASELINE})
    assert [(one.name, one.good) for one in verdicts] == [("there", True), ("gone", False)]


def test_the_baseline_has_its_reason() -> None:
    assert json.loads(smoke.BASELINE.read_text())["reason"].strip()
