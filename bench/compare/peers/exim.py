"""Exim, from Debian. Tuning and its sources: config/exim.conf."""

from pathlib import Path

from support.addresses import free_port
from support.waiting import wait_until

from compare.peers.debian import SERVER, Jail, unpack
from compare.peers.peer import Peer, Server, Setup, filled_in

PACKAGES = ["exim4-daemon-light", "exim4-base", "libidn12", "libgnutls-dane0", "libunbound8", "libnsl2", "libdb5.3",
            "libpcre2-8-0"]
USER = "Debian-exim"


class Exim(Peer):
    name = "exim"

    def install(self, cache: Path) -> str:
        self._packages = cache / "exim"
        return unpack(PACKAGES, self._packages)

    def start(self, setup: Setup) -> Server:
        port = free_port()
        jail = Jail(setup.directory / "exim", self._packages / "root", [USER])
        for folder in ("var/spool/exim4", "var/log/exim4", "run/exim4"):
            jail.folder(folder, USER, mode=0o750)
        for path in (setup.certificate.certificate, setup.certificate.key):
            jail.write(f"etc/exim4/{path.suffix[1:]}", path.read_text())
        load = setup.load
        jail.write("etc/exim4/exim4.conf", filled_in(
            "exim.conf", PORT=port, BINARY=f"/{SERVER}/usr/sbin/exim4", QUEUE_ONLY=str(setup.sink is None).lower(),
            SINK=setup.sink[1] if setup.sink else 9, PER_CONNECTION=load.per_connection or 500,
            TLS_ADVERTISE="*" if load.tls else "", TLS_AVOID="" if load.tls else "*"))
        process = jail.enter("exim", [f"/{SERVER}/usr/sbin/exim4", "-bdf"])
        server = Server(("127.0.0.1", port), [process.pid], process.clean_up)
        try:
            wait_until(lambda: process.listens(port) or process.status is not None, 30, "Exim listens")
            assert process.status is None, process.errors() + process.output()
        except BaseException:
            server.close()
            raise
        return server
