"""What bench/compare makes of what it measured: targets, tables, the generated part of a file."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from compare.command import chosen  # noqa: E402
from compare.loads import LOADS, QUICK  # noqa: E402
from compare.measuring import Run  # noqa: E402
from compare.peers import TITLES, make_peers  # noqa: E402
from compare.peers.peer import filled_in  # noqa: E402
from compare.questions import QUESTIONS  # noqa: E402
from compare.results import Results  # noqa: E402
from compare.table import BEGIN, END, write_results  # noqa: E402
from compare.targets import at_least, at_most, target_rows  # noqa: E402


def run_of(rate: float, cpu_ms: float, **more: float) -> Run:
    values = {"messages": 1000, "seconds": 1000 / rate, "cpu_seconds": cpu_ms, "brokers_cpu_seconds": 0, "memory_octets": 1 << 20,
              "private_octets": 1 << 20, "p50_ms": None, "p99_ms": None, "log_octets": None}
    return Run(**{**values, **more})  # type: ignore[arg-type]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results.json")


def verdict(results: Results, work: str) -> str:
    return next(row.verdict for row in target_rows(results) if row.work == work)


RELAY = "relay end to end, 5 KiB"


def test_a_target_without_numbers_is_not_measured(results: Results) -> None:
    assert {row.verdict for row in target_rows(results)} == {"not measured"}


@pytest.mark.parametrize(("rate", "cpu_ms", "expected"), [
    (8001, 0.19, "**met**"),      # 8 times Postfix is the lower of the two
    (7999, 0.19, "not met"),
    (8001, 0.21, "not met"),      # CPU above a twelfth
])
def test_relay_against_postfix(results: Results, rate: float, cpu_ms: float, expected: str) -> None:
    results.add("relay-5k", "godwit", run_of(rate, cpu_ms))
    results.add("relay-5k", "postfix", run_of(1000, 2.4))
    assert verdict(results, RELAY) == "not measured"
    results.add("relay-5k", "direct", run_of(12000, 0.1))
    assert verdict(results, RELAY) == expected


def test_relay_against_the_tools_when_they_are_slower(results: Results) -> None:
    for peer, rate, cpu in (("godwit", 4001, 0.1), ("postfix", 1000, 2.4), ("direct", 5000, 0.1)):
        results.add("relay-5k", peer, run_of(rate, cpu))
    assert verdict(results, RELAY) == "**met**"


def test_bounds_are_met_when_reached() -> None:
    assert at_least("", 2, 2).met and not at_least("", 1.99, 2).met
    assert at_most("", 2, 2).met and not at_most("", 2.01, 2).met


def test_log_octets_are_of_one_message(results: Results) -> None:
    work = "log octets a message, without parking"
    results.add("relay-5k", "godwit", run_of(1, 1, log_octets=1000 * 5 * 1024 * 1.29))
    assert verdict(results, work) == "**met**"
    results.add("relay-100k", "godwit", run_of(1, 1, log_octets=1000 * 100 * 1024 * 1.11))
    assert verdict(results, work) == "not met"


def test_medians_and_rounds(results: Results) -> None:
    for rate in (100, 900, 300):
        results.add("relay-5k", "exim", run_of(rate, 1))
    row = results.row("relay-5k", "exim")
    assert row and (row.rounds, round(row.rate)) == (3, 300)
    assert results.row("relay-5k", "haraka") is None


def test_results_are_kept_or_forgotten(results: Results) -> None:
    results.add("relay-5k", "exim", run_of(100, 1))
    results.missing["haraka"] = "needs npm"
    results.save()
    assert Results(results.file).row("relay-5k", "exim") is None
    kept = Results(results.file, keep=True)
    assert kept.row("relay-5k", "exim") and kept.missing == results.missing
    kept.add("relay-5k", "exim", run_of(200, 1))  # rounds of two calls are not mixed
    row = kept.row("relay-5k", "exim")
    assert row and (row.rounds, round(row.rate)) == (1, 200)


def test_only_the_part_between_the_markers_is_written(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(f"before\n{BEGIN}\nof the last call\n{END}\nafter\n")
    results.machine, results.missing["haraka"] = "a machine", "needs npm"
    results.failed["relay-5k exim 2"] = "failed: it hung"
    results.versions["postfix"] = "3.7"
    results.add("accept-5k", "postfix", run_of(1000, 2.4))
    results.set_syncs("accept-5k", "postfix", 2.5)
    text = write_results(results, page)
    written = page.read_text()
    assert written.startswith("before\n") and written.endswith("after\n") and "of the last call" not in written and text in written
    for expected in ("a machine", "Postfix 3.7", "**Missing**: Haraka: needs npm", "relay-5k exim 2: failed: it hung", "| 2.50 |",
                     "quoted, not measured here"):
        assert expected in text
    page.write_text("no markers")
    with pytest.raises(AssertionError):
        write_results(results, page)


def test_names_that_are_unknown_are_refused() -> None:
    assert chosen(None, ["a", "b"], ["b"]) == ["b"]
    assert chosen("none", ["a", "b"], ["b"]) == []
    assert chosen("b,a", ["a", "b"], []) == ["b", "a"]
    with pytest.raises(SystemExit, match="unknown: c"):
        chosen("a,c", ["a", "b"], [])


def test_names_agree(tmp_path: Path) -> None:
    assert [peer.name for peer in make_peers(Path("godwit"), tmp_path)] == list(TITLES)
    assert set(QUICK) <= set(LOADS)
    assert QUESTIONS


def test_a_template_with_another_name_is_a_mistake() -> None:
    assert "listen=127.0.0.1:25\n" in filled_in("haraka/smtp.ini", PORT=25)
    with pytest.raises(AssertionError):
        filled_in("haraka/smtp.ini", PORT=25, HOST="x")
    with pytest.raises(AssertionError):
        filled_in("haraka/smtp.ini")
