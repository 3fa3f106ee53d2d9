"""Postfix, which scripts/deps installs for the tests. Tuning and its sources: config/postfix.cf."""

import os
import shutil
import subprocess
from pathlib import Path

from support.postfix import PostfixServer

from compare.peers.peer import Missing, Peer, Server, Setup, filled_in


class Postfix(Peer):
    name = "postfix"

    def install(self, cache: Path) -> str:
        if os.geteuid() != 0:
            raise Missing("needs root")
        if not shutil.which("postconf"):
            raise Missing("is not installed: scripts/deps test")
        return subprocess.run(["postconf", "-dh", "mail_version"], capture_output=True, text=True, check=True).stdout.strip()

    def start(self, setup: Setup) -> Server:
        load = setup.load
        one = load.per_connection == 1
        settings = filled_in(
            "postfix.cf", CACHE="no" if one else "yes", CACHED="" if one else "127.0.0.1",
            PER_CONNECTION=load.per_connection, TLS="may" if load.tls else "none", TLS_REUSE="yes" if load.tls and not one else "no",
            CERTIFICATE=setup.certificate.certificate, KEY=setup.certificate.key)
        settings += f"relayhost = [127.0.0.1]:{setup.sink[1]}\n" if setup.sink else "smtpd_client_restrictions = static:HOLD\n"
        postfix = PostfixServer(setup.directory, settings=settings)
        return Server((postfix.host, postfix.port), [postfix.process.pid], postfix.close)
