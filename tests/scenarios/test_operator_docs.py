"""The pages for operators hold: their commands are run, one page after the other, and print what the pages show."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.addresses import free_port
from support.bench import BenchSink
from support.operator_docs import Ids, PageError, Site, missing, steps

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# In the order in which somebody would read them; what a page makes, the next ones have.
PAGES = ["install", "concepts", "tuning", "backup", "troubleshooting", "egress"]
# What these say is for clusters, or is arithmetic.
NEVER_RUN = ["sizing"]

# The ports of the pages. Nobody listens on 2598 and 2599.
PORTS = ["2525", "2587", "2530", "2598", "2599", "8026", "8027"]
# Small segments: many tests run at once.
SMALL = {"cluster: mail": "log: {embedded: {segment_bytes: 8MiB, reserve_segments: 2, reserve_table_bytes: 32MiB}}",
         "ingress:": "  max_message_bytes: 2MiB"}
# What mail hosts of these domains say, behind port 2530.
RULES = [
    '{stage: rcpt, domain: full.example, reply: "452 4.2.2 Mailbox full"}',
    '{stage: rcpt, domain: gone.example, reply: "550 5.1.1 No such user"}',
    '{stage: rcpt, domain: listed.example, reply: "550 5.7.1 Blocked, see https://lists.example/?ip=192.0.2.10"}',
    '{stage: dot, domain: lost.example, drop: close}',
]


@pytest.fixture(scope="module")
def site(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("operator")
    ports = {port: free_port() for port in PORTS}
    sink = BenchSink(executable, directory, *[option for rule in RULES for option in ("--rule", rule)],
                     port=ports["2530"])
    machine = Site(executable, directory, ports, SMALL)
    yield machine
    machine.close()
    sink.close()


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_happens(site: Site, page: str) -> None:
    done = site.follow((DOCS / "operations" / f"{page}.md").read_text(), f"{page}.md")
    assert any(step.kind == "run" for step in done)


class Help:
    """What `--help` says of each command, asked once."""

    def __init__(self, executable: Path) -> None:
        self._executable = executable
        self._known: dict[tuple[str, ...], str | None] = {}

    def of(self, command: tuple[str, ...]) -> str | None:
        """None when there is no such command."""
        if command not in self._known:
            done = subprocess.run([self._executable, *command, "--help"], capture_output=True, text=True, timeout=20,
                                  check=False)
            there = done.returncode == 0 and f"Usage: godwit {' '.join(command)} " in done.stdout
            assert "->" not in done.stdout, f"a table of the program's own is in the help of {command}"
            self._known[command] = done.stdout if there else None
        return self._known[command]

    def wrong_word(self, text: str) -> str | None:
        """The word of `godwit ...` that does not exist: a command or an option."""
        words = re.sub(r'"[^"]*"', "TEXT", text).split(" ...")[0].split()[1:]
        command: tuple[str, ...] = ()
        while words and re.fullmatch(r"[a-z][a-z-]*", words[0]) and self.of((*command, words[0])):
            command = (*command, words.pop(0))
        usage = self.of(command) if command else None
        if usage is None:
            return words[0]
        if words and "\nSubcommands:" in usage and re.fullmatch(r"[a-z][a-z-]+", words[0]):
            return words[0]
        options = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(words))
        return next((option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", usage)), None)


def commands_named(page: str) -> list[str]:
    """Each `godwit COMMAND ...` and `ctl COMMAND ...` of a page: between backticks, and in code."""
    found = []
    for line in re.sub(r"\\\n\s*", "", page).splitlines():
        code = re.findall(r"`([^`]+)`", line) or ([line] if re.match(r"\s{4}|\s*\$ ", line) else [])
        for part in re.split(r"[|;#&]|\$\(|\s{3,}(?=[a-z])", " | ".join(code)):
            # No path of a file, no image of a container.
            if named := re.search(r"(?:^|[\s/])(?:godwit (?=[a-z])|(?=ctl [a-z]))(?!return address)(.*)", part):
                found.append(f"godwit {named[1].strip()}")
    return found


def test_commands_that_the_documentation_names_exist(executable: Path) -> None:
    known, wrong, count = Help(executable), [], 0
    pages = [ROOT / "README.md", ROOT / "cli/README.md", ROOT / "deploy/systemd/godwit.service",
             *(page for page in DOCS.rglob("*.md") if page.parent.name != "decisions")]
    for page in pages:
        for command in commands_named(page.read_text()):
            count += 1
            if word := known.wrong_word(command):
                wrong.append(f"{page.relative_to(ROOT)}: {command}: there is no {word}")
    assert count > 150, "commands are found at all"
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("text", "word"), [
    ("godwit ctl queue --by lane -c FILE", None),
    ("godwit ctl quene", "quene"),
    ("godwit ctl dead forget KEY", "forget"),
    ("godwit ctl cancel [--until T] --sure", "--sure"),
    ("godwit audits", "audits"),
    ('godwit ctl reload --reason "with --this"', None),
])
def test_a_word_that_does_not_exist_is_found(executable: Path, text: str, word: str | None) -> None:
    assert Help(executable).wrong_word(text) == word


SHOWN = ("3 recipients, oldest 1m2s", "...", "at 2026-11-23 14:36:33.059  01a208d6-51a3-77ce-84ec-accb30ccf804/0  452 ... full")
PRINTED = ("3  recipients, oldest 17s\nmore\nat 2027-01-01 00:00:00.001  01b208d6-51a3-77ce-84ec-accb30ccf804/0  "
           "452 4.2.2 Mailbox full\n")


def test_what_a_page_shows_is_compared() -> None:
    ids = Ids()
    assert missing(SHOWN, PRINTED, ids) is None
    assert ids.put_into("trace 01a208d6-51a3-77ce-84ec-accb30ccf804") == "trace 01b208d6-51a3-77ce-84ec-accb30ccf804"
    assert missing(SHOWN, PRINTED.replace("01b208d6", "01c208d6"), ids) == SHOWN[2], "another message"
    assert missing(SHOWN, PRINTED.replace("3  recipients", "2 recipients"), Ids()) == SHOWN[0]
    assert missing(SHOWN, PRINTED.replace("452", "552"), Ids()) == SHOWN[2]
    assert missing(SHOWN[::-1], PRINTED, Ids()) == SHOWN[0], "in the order of the page"


def test_every_block_says_what_it_is() -> None:
    page = "<!-- staged: one\ntwo -->\n```console\n$ a \\\n  b\nout\n[3]\n$ c\n```\n   ```console not run: root\n   $ d\n   ```\n"
    assert [(step.kind, step.text, step.shown, step.status) for step in steps(page, "page")] == [
        ("staged", "one", (), 0), ("staged", "two", (), 0), ("run", "a b", ("out",), 3), ("run", "c", (), 0),
        ("left out", "root", (), 0)]
    for wrong in ("```\n$ a\n```\n", "```sh\na\n```\n", "```console not run:\n$ a\n```\n", "```console\na\n```\n",
                  "```console\n$ a\n"):
        with pytest.raises(PageError):
            steps(wrong, "page")


def test_blocks_of_every_page_say_what_they_are() -> None:
    for page in NEVER_RUN:
        assert all(step.kind == "left out" for step in steps((DOCS / "operations" / f"{page}.md").read_text(), page))
