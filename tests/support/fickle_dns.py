"""A DNS server that can fail, lie and be slow: on threads of this process, over UDP and TCP."""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable

from support.addresses import free_port

A, SOA, MX = 1, 6, 15
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
TTL = 1  # what is said now holds now
SLOW_SECONDS = 3.0

Records = list[tuple[int, bytes]]  # type, data


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def mx(host: str, preference: int = 10) -> tuple[int, bytes]:
    return MX, struct.pack("!H", preference) + encoded(host)


def a(address: str) -> tuple[int, bytes]:
    return A, socket.inet_aton(address)


class FickleDns:
    """`records` tells the truth about a name (lower case, without final dot), `lies` something else; None: there is no
    such name. Says what `mood` tells it to:

    well     the truth
    fail     SERVFAIL to every question
    deny     NXDOMAIN to every question
    mislead  the lies
    slow     the truth, SLOW_SECONDS later
    """

    MOODS = ("fail", "deny", "mislead", "slow")

    def __init__(self, records: Callable[[str], Records | None], lies: Callable[[str], Records | None]) -> None:
        self.mood = "well"
        self._records, self._lies = records, lies
        self.port = free_port()
        outer = self

        class OverUdp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                question, own = self.request
                if answer := outer.answer(question):
                    own.sendto(answer, self.client_address)

        class OverTcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while len(length := self.rfile.read(2)) == 2:
                    if answer := outer.answer(self.rfile.read(struct.unpack("!H", length)[0])):
                        self.wfile.write(struct.pack("!H", len(answer)) + answer)

        self._servers = [socketserver.ThreadingUDPServer(("127.0.0.1", self.port), OverUdp, bind_and_activate=False),
                         socketserver.ThreadingTCPServer(("127.0.0.1", self.port), OverTcp, bind_and_activate=False)]
        self._threads = []
        for server in self._servers:
            server.daemon_threads, server.block_on_close, server.allow_reuse_address = True, False, True
            server.server_bind()
            server.server_activate()
            self._threads.append(threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True))
            self._threads[-1].start()

    @property
    def address(self) -> str:
        """As unbound writes a forwarder with a port."""
        return f"127.0.0.1@{self.port}"

    def answer(self, question: bytes) -> bytes:
        """To a message with one question; nothing to what is none."""
        mood = self.mood
        if mood == "slow":
            time.sleep(SLOW_SECONDS)
        if len(question) < 17 or question[2] & 0x80 or struct.unpack("!H", question[4:6])[0] != 1:
            return b""
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1:at + 1 + length].decode("ascii", "replace").lower())
            at += 1 + length
        asked, = struct.unpack("!H", question[at + 1:at + 3])
        name = ".".join(labels)
        known = self._lies(name) if mood == "mislead" else self._records(name)
        code = SERVFAIL if mood == "fail" else NXDOMAIN if mood == "deny" or known is None else NOERROR
        answers = [] if code != NOERROR or known is None else [data for kind, data in known if kind == asked]
        kind, said, zone = (asked, answers, []) if answers else (SOA, [], [self._authority()])
        flags = 0x8180 | code  # an answer, recursion desired and available
        head = question[:2] + struct.pack("!HHHHH", flags, 1, len(said), len(zone) if code != SERVFAIL else 0, 0)
        body = question[12:at + 5] + b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data for data in said)
        if code != SERVFAIL:
            body += b"".join(b"\0" + struct.pack("!HHIH", SOA, 1, TTL, len(data)) + data for data in zone)
        return head + body

    def _authority(self) -> bytes:
        return encoded("ns.test") + encoded("hostmaster.test") + struct.pack("!IIIII", 1, 3600, 600, 86400, TTL)

    def close(self) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join(20)
            server.server_close()
