"""OpenSMTPD, from Debian. Tuning and its sources: config/opensmtpd.conf."""

from pathlib import Path

from support.addresses import free_port
from support.waiting import wait_until

from compare.loads import CONNECTIONS
from compare.peers.debian import SERVER, Jail, unpack
from compare.peers.peer import Peer, Server, Setup, filled_in

PACKAGES = ["opensmtpd", "libevent-2.1-7", "libdb5.3"]
DAEMON, QUEUE = "opensmtpd", "opensmtpq"


class OpenSmtpd(Peer):
    name = "opensmtpd"

    def install(self, cache: Path) -> str:
        self._packages = cache / "opensmtpd"
        return unpack(PACKAGES, self._packages)

    def start(self, setup: Setup) -> Server:
        port = free_port()
        jail = Jail(setup.directory / "opensmtpd", self._packages / "root", [DAEMON, QUEUE])
        jail.folder("var/lib/opensmtpd/empty", "root")
        jail.folder("var/spool/smtpd", "root", mode=0o711)
        for path in (setup.certificate.certificate, setup.certificate.key):
            jail.write(f"etc/{path.suffix[1:]}", path.read_text(), 0o600)
        load = setup.load
        jail.write("etc/smtpd.conf", filled_in(
            "opensmtpd.conf", PORT=port, SINK=setup.sink[1] if setup.sink else 9, CONNECTIONS=CONNECTIONS,
            LISTEN_TLS="tls pki bench" if load.tls else "", RELAY_URL="smtp+tls" if load.tls else "smtp+notls",
            RELAY_TLS="tls no-verify" if load.tls else ""), 0o600)
        # Accepting alone: the part that sends is paused.
        paused = [] if setup.sink else ["-P", "mta"]
        process = jail.enter("opensmtpd", [f"/{SERVER}/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf", *paused])
        server = Server(("127.0.0.1", port), [process.pid], process.clean_up)
        try:
            wait_until(lambda: process.listens(port) or process.status is not None, 30, "OpenSMTPD listens")
            assert process.status is None, process.errors() + process.output()
        except BaseException:
            server.close()
            raise
        return server
