"""docs/promises.md names tests, and mutants of the simulation: they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/promises.md"
CASE = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)


def cases() -> set[str]:
    """`Suite.Case` of every C++ test."""
    found = set()
    for folder in ("bouncer", "cli", "common", "ingress", "router", "sender", "tests/durability"):
        for file in (ROOT / folder).rglob("*_test.cc"):
            found |= {f"{suite}.{case}" for suite, case in CASE.findall(file.read_text())}
    return found


def stories() -> set[str]:
    """`tests/.../test_x.py::test_y` of every Python test."""
    return {f"{file.relative_to(ROOT).as_posix()}::{name}" for file in (ROOT / "tests").rglob("test_*.py")
            for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


def mutants() -> set[str]:
    return set(re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "tests/simulation/README.md").read_text(), re.MULTILINE))


def test_what_holds_a_promise_exists() -> None:
    held_by = [row.split("|")[2] for row in PAGE.read_text().splitlines() if row.startswith("|") and "`" in row]
    named = {name for cell in held_by for name in re.findall(r"(?<!mutant )`([^`]+)`", cell)}
    assert len(named) > 50
    assert not named - cases() - stories()


def test_mutants_exist() -> None:
    named = set(re.findall(r"mutant `([^`]+)`", PAGE.read_text()))
    assert named
    assert not named - mutants()
