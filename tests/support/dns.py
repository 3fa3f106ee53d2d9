"""A real authoritative DNS server (Knot) for a zone of our own."""

import subprocess
from pathlib import Path

from support.addresses import free_port
from support.process import Process
from support.waiting import wait_until


class DnsServer:
    """Serves each zone of `zones` (name without final dot -> records in master file form)."""

    def __init__(self, directory: Path, zones: dict[str, str], *, host: str = "127.0.0.1", port: int | None = None,
                 prefix: tuple[str, ...] = (), name: str = "knot") -> None:
        self.host, self.port = host, port or free_port(host)
        self._prefix = prefix
        root = directory / name
        root.mkdir()
        blocks = []
        for zone, records in zones.items():
            file = root / f"{zone}.zone"
            file.write_text(f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 60\n"
                            f"@ NS ns.{zone}.\nns A {host}\n{records}\n")
            blocks.append(f"  - domain: {zone}\n    file: {file}\n")
        config = root / "knot.conf"
        config.write_text(f"server:\n  rundir: {root}\n  listen: {self.host}@{self.port}\n"
                          f"  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
                          f"database:\n  storage: {root}\n"
                          f"log:\n  - target: stderr\n    any: info\n"
                          f"template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none\n"
                          f"zone:\n{''.join(blocks)}")
        self.process = Process(name, [*prefix, "knotd", "-c", config], directory)
        first = next(iter(zones))
        wait_until(lambda: self.process.status is not None or "NOERROR" in self.ask(first, "SOA"), 20,
                   lambda: f"knot answers for {first}:\n{self.process.errors()}{self.process.output()}")
        assert self.process.status is None, self.process.errors()

    @property
    def address(self) -> str:
        """As unbound writes a forwarder with a port."""
        return f"{self.host}@{self.port}"

    def ask(self, name: str, kind: str) -> str:
        return subprocess.run([*self._prefix, "kdig", f"@{self.host}", "-p", str(self.port), "+timeout=1", "+retry=0",
                               name, kind], capture_output=True, text=True, check=False).stdout

    def close(self) -> None:
        self.process.clean_up()
