"""What bench/scaling.py and bench/arithmetic.py make of their numbers."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

import arithmetic  # noqa: E402
import scaling  # noqa: E402
from compare.results import Results  # noqa: E402

MEASURED = arithmetic.Measured(octets=5000, embedded_cpu_ms=0.2, embedded_log_octets=6000, kafka_cpu_ms=0.4, brokers_cpu_ms=0.3,
                               kafka_log_octets=10_000)


def test_a_billion_messages_a_day() -> None:
    text = "\n".join(arithmetic.table(MEASURED))
    assert "11,574/s in the mean, 34,722/s at a peak" in text
    # 34,722 x 0.2 ms are 6.9 cores, twice that when half of each may be busy; 16 a node.
    assert "| Godwit | 13.9 cores, 1 nodes of 16 | 27.8 cores, 2 nodes of 16 |" in text
    assert "| brokers | | 20.8 cores, 2 nodes of 16, at least 3 |" in text
    assert "| network, SMTP in and out | 2.78 Gbit/s | 2.78 Gbit/s |" in text
    # Once from the producer, twice between brokers, once to the reader.
    assert "| network, to, between and from brokers | | 11.11 Gbit/s |" in text
    assert "| disk, written at the peak | 208 MB/s | 1,042 MB/s over all brokers |" in text
    # Half of it for 14 days, half for 45, three times.
    assert "| disk, kept for 14 and 45 days | what is under way | 885 TB over all brokers |" in text


def test_the_page_about_sizes_has_what_is_computed() -> None:
    page = arithmetic.SIZING.read_text()
    generated = page.partition(arithmetic.BEGIN)[2].partition(arithmetic.END)[0].strip()
    assert generated == "\n".join(arithmetic.sizes()), "run bench/arithmetic.py --write"


def test_sizes_by_hand() -> None:
    rows = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in
            arithmetic.sizes(MEASURED, arithmetic.Assumed(), arithmetic.Plan())}
    assert rows["messages/s, mean and peak"][2] == "11,574, 34,722"
    assert rows["cores"][2] == "13.89"
    # 27.8 cores: 35%, 20% and 45% of them on pods of 4.
    assert rows["pods: ingress, router, sender, bouncer"] == ["2, 2, 2, 1", "2, 2, 2, 1", "3, 2, 4, 1"]
    # Of each message 10,000 octets: half for 14 days, half for 45, three times; on brokers of 8 TB that may be 70% full.
    assert rows["brokers' disk, as configured by default"][2] == "885.0 TB"
    assert rows["brokers for that"] == ["3", "8", "159"]
    assert rows["brokers' disk, `events_retention: 14d`"][1] == "21.0 TB"
    assert rows["egress addresses"] == ["2", "87", "1,737"]


def test_a_curve_says_what_a_unit_costs() -> None:
    points = [{"x": "1", "rate": 5000.0, "cpu_ms": 0.2, "work": 1, "private_mib": 90.0},
              {"x": "100", "rate": 700.0, "cpu_ms": 2.0, "work": 100, "private_mib": 95.0}]
    text = "\n".join(scaling.curve_table("recipients", points))
    assert "| 100 | 700 | 2.000 | 0.0200 | 95 |" in text
    depth = "\n".join(scaling.curve_table("depth", [{"x": "1,000", "rate": 1.0, "cpu_ms": 0.2, "work": 1, "private_mib": None}]))
    assert "| 1,000 | 1 | 0.200 |" in depth and "private" not in depth


def test_the_page_keeps_what_people_wrote(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"theirs\n{scaling.BEGIN}\nof the last call\n{scaling.END}\ntheirs, too\n")
    text = scaling.text_of({"machine": "a machine", "curves": {}}, Results(tmp_path / "none.json", keep=True))
    scaling.write(text, page)
    written = page.read_text()
    assert written.startswith("theirs\n") and written.endswith("theirs, too\n")
    assert "a machine." in written and "has not measured" in written and "of the last call" not in written
    page.write_text("no markers")
    with pytest.raises(AssertionError):
        scaling.write(text, page)
