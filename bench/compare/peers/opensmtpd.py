"""OpenSMTPD, from Debian. Tuning and its sources: config/opensmtpd.conf."""

import contextlib
import ctypes
import os
import socket
from pathlib import Path

from support.addresses import free_port
from support.waiting import wait_until

from compare.loads import CONNECTIONS, Load
from compare.peers.debian import SERVER, Jail, unpack
from compare.peers.peer import Peer, Server, Setup, filled_in
from compare.processes import tree

PACKAGES = ["opensmtpd", "libevent-2.1-7", "libdb5.3"]
DAEMON, QUEUE = "opensmtpd", "opensmtpq"


PIDFD_GETFD = 438  # the same on every architecture


def widen_backlog(roots: list[int], port: int, backlog: int) -> None:
    """Lets that many connections wait to be accepted: asked of the socket, through a descriptor that is shared for it.

    OpenSMTPD has 5 compiled in. Of 100 connections that come at once the kernel answers the others by SYN cookies, and
    forgets those whose last ACK finds the queue full: their clients wait for a banner for ever.
    """
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
              if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"}
    for pid in tree(roots):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(link) not in {f"socket:[{inode}]" for inode in inodes}:
                    continue
                process = os.pidfd_open(pid)
                shared = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, int(link.name), 0)
                os.close(process)
                if shared >= 0:
                    with socket.socket(fileno=shared) as listener:
                        listener.listen(backlog)
                    return
    raise AssertionError(f"nobody below {roots} listens on {port}")


class OpenSmtpd(Peer):
    name = "opensmtpd"

    def install(self, cache: Path) -> str:
        self._packages = cache / "opensmtpd"
        return unpack(PACKAGES, self._packages)

    def refuses(self, load: Load) -> str:
        return "Debian 12's build, with OpenSSL 3, fails every handshake (EVP lib), with RSA and ECDSA keys, TLS 1.2 and 1.3" if load.tls else ""

    def start(self, setup: Setup) -> Server:
        port = free_port()
        jail = Jail(setup.directory / "opensmtpd", self._packages / "root", [DAEMON, QUEUE])
        jail.folder("var/lib/opensmtpd/empty", "root")
        jail.folder("var/spool/smtpd", "root", mode=0o711)
        jail.write("etc/smtpd.conf", filled_in(
            "opensmtpd.conf", PORT=port, SINK=setup.sink[1] if setup.sink else 9, CONNECTIONS=CONNECTIONS), 0o600)
        # Accepting alone: the part that sends is paused.
        paused = [] if setup.sink else ["-P", "mta"]
        process = jail.enter("opensmtpd", [f"/{SERVER}/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf", *paused])
        server = Server(("127.0.0.1", port), [process.pid], process.clean_up)
        try:
            wait_until(lambda: process.listens(port) or process.status is not None, 30, "OpenSMTPD listens")
            assert process.status is None, process.errors() + process.output()
            widen_backlog(server.roots, port, 1024)
        except BaseException:
            server.close()
            raise
        return server
