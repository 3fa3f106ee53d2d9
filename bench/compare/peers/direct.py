"""No server at all: the generator straight into the sink. What the tools reach by themselves bounds every other row."""

from pathlib import Path

from compare.loads import Load
from compare.peers.peer import Peer, Server, Setup
from compare.tools import make_sink


class Direct(Peer):
    name = "direct"

    def __init__(self, executable: Path) -> None:
        self._executable = executable

    def install(self, cache: Path) -> str:
        return ""

    def refuses(self, load: Load) -> str:
        return "nobody is there who could try again" if load.deferred else ""

    def start(self, setup: Setup) -> Server:
        sink = make_sink(self._executable, setup.directory, setup.load)
        return Server(sink.address, [sink.pid], sink.close)
