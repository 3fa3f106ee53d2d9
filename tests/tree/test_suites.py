"""What tests/suites.py makes of what it has run: of a test that did not end by itself, and of suites without a case."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import suites  # noqa: E402

ENDED = "[ RUN      ] A.ends\n[       OK ] A.ends (0 ms)\n"


@pytest.mark.parametrize(("output", "expected"), [
    ("", None),
    (ENDED, None),
    (ENDED + "[ RUN      ] A.hangs/1\nsome output\n", "A.hangs/1"),
    ("[ RUN      ] A.fails\n[  FAILED  ] A.fails (1 ms)\n", None),
    ("[ RUN      ] A.skips\n[  SKIPPED ] A.skips (1 ms)\n", None),
    ("cut at the front\n[ RUN      ] A.hangs\n", "A.hangs"),
])
def test_names_the_case_that_did_not_end(output: str, expected: str | None) -> None:
    assert suites.interrupted_case(output) == expected


@pytest.mark.parametrize(("asked", "status"), [(["build"], 0), (["unit"], 1), (["build", "unit"], 1)])
def test_only_a_build_may_have_no_case(asked: list[str], status: int, tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "SUITES", {name: lambda _: suites.Tally() for name in ("build", "unit")})
    monkeypatch.setattr(suites, "RESULTS", tmp_path)
    monkeypatch.setattr(suites, "SUMMARY", tmp_path / "summary.txt")
    monkeypatch.setattr(sys, "argv", ["suites.py", *asked])
    assert suites.main() == status
