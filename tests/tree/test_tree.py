"""What holds for every file of the tree: formatting, links, no paths of one machine, sizes of names."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CXX = (".h", ".cc")
TEXT = (".h", ".cc", ".py", ".md", ".yaml", ".yml", ".proto", ".cmake", ".txt", ".sh", ".json", ".html", ".ts", "")

# A home, work or temporary folder of somebody's machine.
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:home|root|Users|work|farm)/\w")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def names(paths: list[Path]) -> list[str]:
    return [p.relative_to(ROOT).as_posix() for p in paths]


def machine_paths(text: str) -> list[str]:
    return MACHINE_PATH.findall(text)


def anchors(markdown: str) -> set[str]:
    """The anchors GitHub makes of headings."""
    found = set()
    for heading in HEADING.findall(markdown):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


def broken_links(file: Path) -> list[str]:
    """Links to files or headings of this tree that are not there; the web is not asked."""
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    problems = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        where = (file.parent / path).resolve() if path else file
        if not where.exists():
            problems.append(f"{target}: no such file")
        elif anchor and where.suffix == ".md" and anchor not in anchors(where.read_text()):
            problems.append(f"{target}: no such heading")
    return problems


def test_finds_machine_paths() -> None:
    home = "/" + "home" + "/ann/godwit"
    assert machine_paths(f'path = "{home}"')
    assert not machine_paths("the default is /var/lib/godwit or ./work/x")


def test_finds_broken_links(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# A Heading: here\n")
    page = tmp_path / "a.md"
    page.write_text("[x](b.md) [y](b.md#a-heading-here) [z](https://example.com/)\n```\n[q](gone.md)\n```\n")
    assert broken_links(page) == []
    page.write_text("[x](gone.md) [y](b.md#gone)\n")
    assert broken_links(page) == ["gone.md: no such file", "b.md#gone: no such heading"]


def test_no_paths_of_one_machine() -> None:
    found = [f"{name}: {hit}" for path, name in zip(tracked(), names(tracked()), strict=True)
             if path.suffix in TEXT and "corpus" not in path.parts
             for hit in machine_paths(path.read_text(errors="replace"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", [n for n in names(tracked()) if n.endswith(".md")])
def test_links_lead_somewhere(name: str) -> None:
    problems = broken_links(ROOT / name)
    assert not problems, "\n".join(problems)


def test_cxx_is_formatted() -> None:
    tool = shutil.which("clang-format-19")
    assert tool, "clang-format-19 is not installed: scripts/deps test"
    files = [str(p) for p in tracked() if p.suffix in CXX]
    done = subprocess.run([tool, "--dry-run", "-Werror", "--ferror-limit=1", *files],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    bad = sorted({Path(line.split(":")[0]).relative_to(ROOT).as_posix()
                  for line in done.stderr.splitlines() if "clang-format-violations" in line})
    assert done.returncode == 0, "run clang-format-19 -i on:\n" + "\n".join(bad)


def test_scripts_are_valid_shell() -> None:
    scripts = [p for p in tracked() if p.read_bytes()[:32].startswith(b"#!/usr/bin/env bash")]
    assert scripts
    for script in scripts:
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_no_two_files_of_tests_share_a_name() -> None:
    """pytest imports them by their names alone: two of one name cannot be in one run (a suite takes several folders)."""
    found = [name for name in names(tracked()) if re.fullmatch(r"tests/(?:.*/)?test_\w+\.py", name)]
    alike = [name for name in found if sum(Path(other).name == Path(name).name for other in found) > 1]
    assert found
    assert not alike, "\n".join(alike)
