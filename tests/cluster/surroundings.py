"""What can be broken besides the processes themselves: networks, names and disks."""

from collections.abc import Callable, Sequence
from typing import Protocol

from support.disk import SmallDisk
from support.fickle_dns import FickleDns, Records, a, mx
from support.proxy import Proxy

SLOW_SECONDS = 0.2  # what each piece of a slow network takes longer
# Of MX hosts: in no range that a sender refuses. SINK listens, nobody does at CLOSED.
SINK, CLOSED = "11.1.0.1", "11.1.0.9"


class Breakable(Protocol):
    kinds: Sequence[str]

    def break_it(self, kind: str) -> None: ...
    def mend(self) -> None: ...


class Roads:
    """Connections of these origins through these proxies."""

    kinds = ("cut", "slow")

    def __init__(self, roads: Sequence[tuple[Proxy, int | None]]) -> None:
        self._roads = roads

    def break_it(self, kind: str) -> None:
        for proxy, origin in self._roads:
            if kind == "cut":
                proxy.cut(origin)
            else:
                proxy.slow(SLOW_SECONDS, origin)

    def mend(self) -> None:
        for proxy, origin in self._roads:
            proxy.mend(origin)


class Names:
    """Where mail goes: each domain has an MX host of its own, and all of them the address of the sink. A lie names
    another host, where nobody listens; that one exists in truth, too, for who has heard of it."""

    kinds = FickleDns.MOODS

    def __init__(self) -> None:
        self.server = FickleDns(lambda name: self._records(name, "mx"), lambda name: self._records(name, "elsewhere"))

    @staticmethod
    def _records(name: str, host: str) -> Records | None:
        match name.split("."):
            case [_, "test"]:
                return [mx(f"{host}.{name}")]
            case ["mx", _, "test"]:
                return [a(SINK)]
            case ["elsewhere", _, "test"]:
                return [a(CLOSED)]
        return None

    def break_it(self, kind: str) -> None:
        self.server.mood = kind

    def mend(self) -> None:
        self.server.mood = "well"


class FullDisk:
    """The disk of a process. It writes there now and then only, and whenever it starts: so it is made to."""

    kinds = ("fill", "fill-and-kill")

    def __init__(self, disk: SmallDisk, kill: Callable[[], None]) -> None:
        self._disk, self._kill = disk, kill

    def break_it(self, kind: str) -> None:
        self._disk.fill()
        if kind == "fill-and-kill":
            self._kill()

    def mend(self) -> None:
        self._disk.free()
