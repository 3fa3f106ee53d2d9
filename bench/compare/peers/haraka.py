"""Haraka, from npm. Tuning and its sources: config/haraka."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from support.addresses import free_port
from support.process import Process
from support.waiting import wait_until

from compare.loads import Load
from compare.peers.peer import CONFIG, Missing, Peer, Server, Setup, filled_in

VERSION = "3.3.4"
INSTALL_SECONDS = 300


class Haraka(Peer):
    name = "haraka"

    def install(self, cache: Path) -> str:
        folder = cache / f"haraka-{VERSION}"
        self._script = folder / "node_modules/Haraka/bin/haraka"
        node = shutil.which("node")
        if not node:
            raise Missing("needs node")
        if not (folder / "complete").exists():
            if not shutil.which("npm"):
                raise Missing("needs npm")
            folder.mkdir(parents=True, exist_ok=True)
            # Optional packages are plugins that are not used; nothing that comes is run at the installation.
            done = subprocess.run(["npm", "install", "--prefix", folder, "--omit=optional", "--ignore-scripts", "--no-audit",
                                   "--no-fund", f"Haraka@{VERSION}"], capture_output=True, text=True, check=False,
                                  timeout=INSTALL_SECONDS)
            if done.returncode != 0:
                raise Missing(f"npm install Haraka@{VERSION}: {done.stderr.strip()[-300:]}")
            (folder / "complete").touch()
        self._node = node
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        return f"{VERSION} on Node.js {version}"

    def adapted(self, load: Load) -> Load:
        # It answers 503 to a MAIL that comes together with the final dot of the message before.
        return replace(load, pipelining="envelope") if load.pipelining == "ahead" else load

    def start(self, setup: Setup) -> Server:
        port, load = free_port(), setup.load
        root = setup.directory / "haraka"
        for folder in ("plugins", "queue"):
            (root / folder).mkdir(parents=True)
        # As `haraka -i` does.
        shutil.copytree(self._script.parents[1] / "config", root / "config")

        def write(name: str, text: str) -> None:
            (root / "config" / name).write_text(text)

        write("smtp.ini", filled_in("haraka/smtp.ini", PORT=port))
        write("outbound.ini", filled_in("haraka/outbound.ini", DISABLED=str(setup.sink is None).lower(),
                                        TLS=str(load.tls).lower()))
        write("log.ini", filled_in("haraka/log.ini"))
        write("plugins", ("tls\n" if load.tls else "") + "sink\n")
        write("me", "mx.haraka.test\n")
        write("sink.json", f'{{"port": {setup.sink[1] if setup.sink else 9}}}\n')
        write("tls_cert.pem", setup.certificate.certificate.read_text())
        write("tls_key.pem", setup.certificate.key.read_text())
        shutil.copy(CONFIG / "haraka/sink.js", root / "plugins")
        process = Process("haraka", [self._node, self._script, "-c", root], setup.directory)
        server = Server(("127.0.0.1", port), [process.pid], process.clean_up)
        try:
            wait_until(lambda: process.listens(port) or process.status is not None, 30, "Haraka listens")
            assert process.status is None, process.output() + process.errors()
        except BaseException:
            server.close()
            raise
        return server
