"""What the comparison asks of a server under test."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from compare.loads import Load
from support.certificates import Certificate

CONFIG = Path(__file__).resolve().parents[1] / "config"


class Missing(Exception):
    """A peer that cannot be installed or run here, and why."""


@dataclass(frozen=True)
class Setup:
    """What one run needs: a directory of its own, and where mail goes (None: it is taken and goes nowhere)."""

    directory: Path
    load: Load
    sink: tuple[str, int] | None
    certificate: Certificate


@dataclass
class Server:
    """A server that runs: where it listens, the roots of its trees of processes, and how it is ended.

    `brokers` belong to it, and are counted on their own as well.
    """

    address: tuple[str, int]
    roots: list[int]
    close: Callable[[], None]
    brokers: list[int] = field(default_factory=list)
    log_octets: Callable[[], int] | None = None  # written to its log so far, before replication


class Peer:
    """One server, tuned as its documentation advises."""

    name: str

    def install(self, cache: Path) -> str:
        """Makes it ready below `cache`, at most once for each version; returns its version. Raises Missing."""
        raise NotImplementedError

    def refuses(self, load: Load) -> str:
        """Why it takes no part in a load; "" when it does."""
        return ""

    def adapted(self, load: Load) -> Load:
        """The load as it is sent to this server, where it cannot take it otherwise."""
        return load

    def start(self, setup: Setup) -> Server:
        """Returns when it listens on a free port of loopback."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends what outlives single runs."""


def filled_in(template: str, **values: object) -> str:
    """A file of config/ with each @NAME@ replaced; one that is left over, or of no use, is a mistake of ours."""
    text = (CONFIG / template).read_text()
    for name, value in values.items():
        assert f"@{name}@" in text, f"{template}: no @{name}@"
        text = text.replace(f"@{name}@", str(value))
    left = re.findall(r"^[^#;].*@[A-Z_]+@.*", text, re.MULTILINE)
    assert not left, f"{template}: {left}"
    return text
