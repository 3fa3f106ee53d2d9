"""Processes that a test starts, and ends by their own id."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.waiting import wait_until

STOP_SECONDS = 20


def let_others_in(directory: Path) -> None:
    """Servers that give up root's privileges must be able to walk to a test's directory, which pytest keeps closed."""
    top = Path(tempfile.gettempdir()).resolve()
    for folder in (directory, *directory.parents):
        if folder.stat().st_uid != os.geteuid() or folder == top or folder == folder.parent:
            break
        folder.chmod(folder.stat().st_mode | 0o011)


class Process:
    """A child with its output in files `NAME.out` and `NAME.err` of `directory`; a later start appends."""

    def __init__(self, name: str, command: Sequence[str | Path], directory: Path,
                 environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self.name = name
        self.out = directory / f"{name}.out"
        self.err = directory / f"{name}.err"
        self._out_start = self.out.stat().st_size if self.out.exists() else 0
        with self.out.open("ab") as out, self.err.open("ab") as err:
            # A session of its own: stop() reaches what the child started, and nothing else.
            self._child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                           cwd=cwd or directory, start_new_session=True,
                                           env={**os.environ, **(environment or {})})

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def status(self) -> int | None:
        """The exit status (minus the number of the signal that ended it), None while it runs."""
        return self._child.poll()

    def output(self) -> str:
        """What this start of the child printed on standard output so far."""
        with self.out.open("rb") as out:
            out.seek(self._out_start)
            return out.read().decode(errors="replace")

    def errors(self) -> str:
        return self.err.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit status, once it has ended."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} ({self.pid}) did not end within {seconds} s") from None

    def terminate(self, seconds: float = STOP_SECONDS) -> int:
        if self.status is None:
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> int:
        """SIGKILL to the child alone."""
        if self.status is None:
            self.signal(signal.SIGKILL)
        return self.wait()

    def clean_up(self) -> None:
        """Ends the child's whole session, whatever state it is in."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait(STOP_SECONDS)

    def listens(self, port: int) -> bool:
        """Whether anybody in the child's network listens on that TCP port; asked of the kernel, not of the port."""
        try:
            sockets = Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]
        except OSError:
            return False
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in sockets)

    def wait_for_output(self, text: str, seconds: float) -> str:
        """The first whole line on standard output that begins with `text`."""
        def line() -> str | None:
            if self.status is not None and text not in self.output():
                raise AssertionError(f"{self.name} ended with status {self.status} before it printed {text!r}:\n"
                                     f"{self.errors()[-4000:]}")
            lines = [candidate for candidate in self.output().splitlines(keepends=True) if candidate.startswith(text)]
            return lines[0].rstrip("\n") if lines and lines[0].endswith("\n") else None

        return wait_until(line, seconds, lambda: f"{text!r} from {self.name}:\n{self.errors()[-4000:]}")


class Processes:
    """Several processes that a test treats as one: what is done to it is done to each that runs."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._all = list(processes)

    @property
    def status(self) -> int | None:
        """None while any runs and none has failed; then the first status that is not 0, else 0."""
        statuses = [process.status for process in self._all]
        if failed := next((status for status in statuses if status), None):
            return failed
        return None if None in statuses else 0

    def errors(self) -> str:
        return "\n".join(f"--- {process.err.parent.name}\n{process.errors()}" for process in self._all)

    def signal(self, number: int) -> None:
        for process in self._all:
            process.signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """`status`, once it is one: one that fails is not waited for together with the others."""
        wait_until(lambda: self.status is not None, seconds, lambda: "the end of each process, or a failure of one")
        assert self.status is not None
        return self.status

    def terminate(self, seconds: float = STOP_SECONDS) -> int:
        self.signal(signal.SIGTERM)
        for process in self._all:
            process.wait(seconds)
        return self.wait(0)

    def kill(self) -> None:
        """SIGKILL to all at once, as when a machine goes away."""
        self.signal(signal.SIGKILL)
        for process in self._all:
            process.wait()

    def clean_up(self) -> None:
        for process in self._all:
            process.clean_up()
