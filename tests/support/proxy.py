"""A network in between that can be cut and slowed down: TCP on loopback, on a thread of this process."""

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from support.addresses import free_port

CHUNK = 1 << 16


def owner_of(port: int, processes: Iterable[int]) -> int | None:
    """Which of these processes has the socket that is bound to this port of loopback, by what the kernel shows."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[1].endswith(f"0100007F:{port:04X}"):
                inodes.add(f"socket:[{words[9]}]")
    for process in processes:
        with contextlib.suppress(OSError):  # it ended
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):  # it was closed
                    if str(descriptor.readlink()) in inodes:
                        return process
    return None


class _Road:
    """What is between the proxy and those of one origin."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.open = asyncio.Event()
        self.open.set()


class Proxy:
    """Takes connections on `port` and carries them to `target`.

    cut(): nothing goes through any more, either way, and nobody is told; what is sent meanwhile comes later, as after
    a cable was pulled and put back. slow(seconds): each piece takes so much longer. mend(): as it was.
    With `origin` (from the port of the other side: who that is) these are about connections of one origin.
    """

    def __init__(self, target: int, origin: Callable[[int], int | None] = lambda port: None) -> None:
        self.port = free_port()
        self._target, self._origin = target, origin
        self._loop = asyncio.new_event_loop()
        self._roads: defaultdict[int | None, _Road] = defaultdict(_Road)
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(20), "a proxy listens"

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", self.port))
        self._loop.call_soon(started.set)
        self._loop.run_forever()
        self._server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        road = self._roads[self._origin(writer.get_extra_info("peername")[1])]
        await road.open.wait()
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._pipe(reader, to_writer, road), self._pipe(to_reader, writer, road))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, road: _Road) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                await road.open.wait()
                if road.delay:
                    await asyncio.sleep(road.delay)
                writer.write(piece)
                await writer.drain()
        writer.close()

    def cut(self, origin: int | None = None) -> None:
        self._loop.call_soon_threadsafe(lambda: self._roads[origin].open.clear())

    def slow(self, seconds: float, origin: int | None = None) -> None:
        self._loop.call_soon_threadsafe(lambda: setattr(self._roads[origin], "delay", seconds))

    def mend(self, origin: int | None = None) -> None:
        self.slow(0, origin)
        self._loop.call_soon_threadsafe(lambda: self._roads[origin].open.set())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
