"""Pages for operators as programs: what their fenced blocks say is done, in order, and has to print what they show.

| in the page | what is done |
|---|---|
| ```console | each line that begins with `$ ` is run; the lines below it have to be in what it prints, in that order |
| ```console not run: REASON | nothing; so is any other block with a reason |
| ```yaml FILE | it is written to FILE |
| <!-- staged: COMMANDS --> | its lines are run: they make the trouble that the page is about, and readers do not see them |

Of what a command prints, times, durations, sizes, ids and ports may differ. `...` stands for anything, and a last line
`[1]` is the exit status. An id that was shown is from there on the one that was really printed. `systemctl` starts and
ends the one process, `journalctl` prints its log; what is below /etc/godwit, /var/lib/godwit and /var/backups is in a directory of the test.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.process import Process
from support.waiting import wait_until

PATIENCE_SECONDS = 30

FENCE = re.compile(r"^( *)```(\S*) ?(.*?)\s*$")
STATUS = re.compile(r"^\[(\d+)\]$")
ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{20}\b")
# What differs from run to run. Counts and codes of replies are not here: they have to be right.
VOLATILE = re.compile(r"""
    \d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?       # a time
  | \b\d[\d,.]*\ (?:B|[KMGT]iB)\b                       # a size
  | \b\d+(?:\.\d+)?(?:ms|[dhms])(?:\d+[hms])*\b         # a duration
  | (?<=[0-9a-z]):\d{4,5}\b                             # a port
  | (?<=\.yaml:)\d+:\d+                                 # a place in a file
  | (?<=process\ )\d+
  | \S+@\S+\ ipv[46]:\S+(?=\))                          # who asked, from where
  | "pid":\d+
  """, re.VERBOSE)
# Commands that change nothing may be given again until they show what is expected.
LOOKING = re.compile(r"(?:godwit (?:audit|capture list|events|ctl (?:audit-log|commands list|dead(?: list| -c)|deliveries|get|"
                     r"health|held(?: list| -c)|info|lag|nodes|queue|top|topics|trace))|curl|journalctl)\b")


@dataclass(frozen=True)
class Step:
    """`kind` is run, staged, file or left out; `text` is the command, the file's content or the reason."""

    kind: str
    text: str
    line: int
    name: str = ""
    shown: tuple[str, ...] = ()
    status: int = 0


class PageError(ValueError):
    """A page that cannot be followed: file, line, what is wrong."""


def steps(page: str, name: str) -> list[Step]:
    """What a page says to do; every block must say by its first line what it is."""
    found: list[Step] = []
    lines = iter(enumerate(page.splitlines(), 1))
    for number, line in lines:
        if line.startswith("<!-- staged:"):
            text = line
            while not text.rstrip().endswith("-->"):
                text += "\n" + next(lines)[1]
            for command in text.removeprefix("<!-- staged:").rstrip().removesuffix("-->").strip().splitlines():
                found.append(Step("staged", command.strip(), number))
        elif opened := FENCE.match(line):
            indent, language, rest = opened.groups()
            block = _block(lines, indent)
            if rest.startswith("not run:") and len(rest) > len("not run: "):
                found.append(Step("left out", rest.removeprefix("not run:").strip(), number))
            elif language == "console" and not rest:
                found += _commands(block, number)
            elif language == "yaml" and re.fullmatch(r"[\w.-]+\.yaml", rest):
                found.append(Step("file", "\n".join(block) + "\n", number, rest))
            else:
                raise PageError(f"{name}:{number}: ```{language} {rest}: neither run nor `not run: REASON`")
    return found


def _block(lines: Iterator[tuple[int, str]], indent: str) -> list[str]:
    block = []
    for _, line in lines:
        if line == f"{indent}```":
            return block
        block.append(line.removeprefix(indent))
    raise PageError("a block without an end")


def _commands(block: list[str], number: int) -> list[Step]:
    found: list[Step] = []
    at = 0
    while at < len(block):
        first, begun = block[at], number + 1 + at
        if not first.startswith("$ "):
            raise PageError(f"line {begun}: what does {first!r} belong to?")
        command = first[2:]
        while command.endswith("\\"):
            at += 1
            command = command[:-1] + block[at].strip()
        at += 1
        shown = []
        while at < len(block) and not block[at].startswith("$ "):
            shown.append(block[at])
            at += 1
        status = STATUS.match(shown[-1]) if shown else None
        found.append(Step("run", command, begun, shown=tuple(shown[:-1] if status else shown),
                          status=int(status[1]) if status else 0))
    return found


def pattern(shown: str) -> re.Pattern[str]:
    """What a line has to be for it to be the shown one."""
    same = " ".join(VOLATILE.sub("~", ID.sub("~", shown)).split())
    return re.compile(".*?".join(re.escape(part.strip()) for part in same.split("...")))


def plain(printed: str) -> str:
    return " ".join(VOLATILE.sub("~", ID.sub("~", printed)).split())


@dataclass
class Ids:
    """Which id of the pages is which one of this run."""

    real: dict[str, str] = field(default_factory=dict)

    def fit(self, shown: str, printed: str) -> bool:
        pairs = list(zip(ID.findall(shown), ID.findall(printed), strict=False))
        if any(self.real.get(one, other) != other for one, other in pairs):
            return False
        self.real |= pairs
        return True

    def put_into(self, command: str) -> str:
        return ID.sub(lambda found: self.real.get(found[0], found[0]), command)


def missing(shown: tuple[str, ...], printed: str, ids: Ids) -> str | None:
    """The first shown line that is not there, behind the one before it."""
    lines = printed.splitlines()
    at = 0
    for line in shown:
        if line.strip() in ("", "..."):
            continue
        wanted = pattern(line)
        while at < len(lines) and not (wanted.fullmatch(plain(lines[at])) and ids.fit(line, lines[at])):
            at += 1
        if at == len(lines):
            return line
        at += 1
    return None


class Site:
    """A machine of an operator, played: a directory, one process, commands."""

    def __init__(self, executable: Path, directory: Path, ports: Mapping[str, int],
                 behind: Mapping[str, str]) -> None:
        """`ports`: those of the pages, and those to take. `behind`: lines of godwit.yaml, and what to put behind them."""
        self._directory = directory
        self._ports = dict(ports)
        self._behind = behind
        self._ids = Ids()
        self._process: Process | None = None
        (directory / "bin").mkdir()
        (directory / "bin" / "godwit").symlink_to(executable)
        # Never the machine's own.
        guard = directory / "bin" / "systemctl"
        guard.write_text("#!/bin/sh\necho 'systemctl has to stand on a line of its own' >&2\nexit 1\n")
        guard.chmod(0o755)
        journal = directory / "bin" / "journalctl"
        journal.write_text(f"#!/bin/sh\nexec cat {directory}/godwit.err\n")
        journal.chmod(0o755)
        # `cp -a` of data_dir is to make its copy below backups, not inside of it.
        self._places = {"/var/lib/godwit": directory / "data", "/var/backups": directory / "backups", "/etc/godwit": directory}
        (directory / "backups").mkdir()
        self._environment = {**os.environ, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}

    def follow(self, page: str, name: str) -> list[Step]:
        """Does what the page says; raises AssertionError with file and line where it does not hold."""
        done = steps(page, name)
        for step in done:
            where = f"{name}:{step.line}"
            if step.kind == "file":
                text = self._here(step.text)
                if step.name == "godwit.yaml":
                    for line, more in self._behind.items():
                        assert f"{line}\n" in text
                        text = text.replace(f"{line}\n", f"{line}\n{more}\n", 1)
                (self._directory / step.name).write_text(text)
            elif step.kind in ("run", "staged"):
                self._run(step, where)
        return done

    def close(self) -> None:
        if self._process:
            self._process.clean_up()

    def _here(self, text: str) -> str:
        for place, real in self._places.items():
            text = text.replace(place, str(real))
        return re.sub(rf"\b(?:{'|'.join(self._ports)})\b", lambda found: str(self._ports[found[0]]), text)

    def _there(self, text: str) -> str:
        for place, real in self._places.items():
            text = text.replace(str(real), place)
        return text

    def _run(self, step: Step, where: str) -> None:
        if step.text.startswith("systemctl "):
            self._systemctl(step.text.split()[1:])
            return
        problem = ""

        def goes_as_shown() -> bool:
            nonlocal problem
            problem = self._problem_with(step)
            return not problem

        # What only looks is asked again, until it sees what is shown.
        wait_until(goes_as_shown, PATIENCE_SECONDS if LOOKING.match(step.text) else 0,
                   lambda: f"{where}: $ {step.text}\n{problem}")

    def _problem_with(self, step: Step) -> str:
        """Runs it once: what differs from what is shown; "" when nothing does."""
        command = self._ids.put_into(self._here(step.text))
        done = subprocess.run(["bash", "-c", command], cwd=self._directory, env=self._environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        printed = self._there(done.stdout + done.stderr)
        lacking = missing(step.shown, printed, self._ids)
        if done.returncode == step.status and lacking is None:
            return ""
        return (f"exit status {done.returncode}, expected {step.status}\n"
                + (f"not printed: {lacking}\n" if lacking is not None else "") + printed)

    def _systemctl(self, arguments: list[str]) -> None:
        action = arguments[0]
        assert arguments[-1] == "godwit" and action in ("start", "stop", "restart", "reload", "kill"), shlex.join(arguments)
        if action in ("stop", "restart"):
            assert self._process and self._process.terminate(60) == 0
        if action == "reload":  # ExecReload of deploy/systemd/godwit.service
            subprocess.run(["bin/godwit", "ctl", "reload", "-c", "godwit.yaml", "--reason", "systemctl reload"],
                           cwd=self._directory, capture_output=True, timeout=60, check=True)
        if action == "kill":
            assert self._process
            self._process.kill()
        if action in ("start", "restart"):
            self._process = Process("godwit", [self._directory / "bin" / "godwit", "run", "-c", "godwit.yaml"],
                                    self._directory)
            self._process.wait_for_output("ready", PATIENCE_SECONDS)
