"""Godwit as its users meet it: a configuration file, the executable, its commands."""

import http.client
import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.addresses import free_port
from support.certificates import Certificate
from support.process import Process
from support.waiting import wait_until

START_SECONDS = 60
TERMINAL = {"delivered", "bounced", "expired", "suppressed", "cancelled"}

RELAY = {"listen": "127.0.0.1:0", "kind": "relay", "trusted_networks": ["127.0.0.0/8"]}
# Long enough that nothing is tried again while a test looks, unless the test asks for it.
PATIENT = {"first": "1h", "factor": 2, "max": "4h", "age": "5d"}
HASTY = {"first": "1s", "factor": 1, "max": "1s", "age": "5d"}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` laid over `base`, maps key by key; anything else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


class Installation:
    """Godwit as its users meet it, be it one process (Godwit) or one for each role (support.cluster.Cluster).

    What a story needs: start(), kill(), terminate(), `process`, `options`, `config`, `control`, `metric()` and what is
    here. Commands ask the process that `config_file` belongs to.
    """

    executable: Path
    directory: Path
    prefix: tuple[str, ...] = ()
    config_file: Path
    ready_line: str = ""

    def start(self, seconds: float = START_SECONDS) -> "Installation":
        raise NotImplementedError

    def addresses(self) -> list[tuple[str, tuple[str, int]]]:
        """What the `ready` line names: (name, (host, port)), in order."""
        return [(m[1], (m[2], int(m[3])))
                for m in re.finditer(r"([a-z][a-z0-9_.\-]*)=(\d+\.\d+\.\d+\.\d+):(\d+)", self.ready_line)]

    def address(self, name: str, index: int = 0) -> tuple[str, int]:
        found = [address for known, address in self.addresses() if known == name]
        assert len(found) > index, f"no {name}[{index}] in {self.ready_line!r}"
        return found[index]

    @property
    def relay(self) -> tuple[str, int]:
        return self.address("smtp.relay")

    @property
    def submission(self) -> tuple[str, int]:
        return self.address("smtp.submission")

    # --- commands

    def command(self, *arguments: str | Path, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*self.prefix, str(self.executable), *map(str, arguments)], capture_output=True,
                              text=True, timeout=seconds, cwd=self.directory, check=False)

    def events(self, *options: str) -> list[dict[str, Any]]:
        done = self.command("events", "-c", self.config_file, "--json", *options)
        assert done.returncode == 0, f"godwit events: {done.returncode}: {done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def audit(self, seconds: float = 120) -> dict[str, Any]:
        """The report; its exit status is checked against what it says."""
        done = self.command("audit", "-c", self.config_file, "--json", seconds=seconds)
        assert done.returncode in (0, 1), f"godwit audit: {done.returncode}: {done.stderr}"
        report = json.loads(done.stdout)
        assert (done.returncode == 0) == report["clean"], report
        return report

    def captured(self) -> list[dict[str, Any]]:
        done = self.command("capture", "list", "-c", self.config_file, "--json")
        assert done.returncode == 0, f"godwit capture list: {done.returncode}: {done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    # --- what a test waits for

    def wait_for_event(self, kind: str, seconds: float = 30, **fields: Any) -> dict[str, Any]:
        """The first event of a type whose fields have these values."""
        def found() -> dict[str, Any] | None:
            for event in self.events():
                if event["type"] == kind and all(event.get(k) == v for k, v in fields.items()):
                    return event
            return None

        return wait_until(found, seconds, lambda: f"an event {kind} {fields} among {self.events()}")

    def wait_until_ended(self, recipients: int, seconds: float = 60, *, open: int = 0) -> dict[str, Any]:
        """The audit's report once it counts that many recipients as ended, and at most `open` that have yet to.

        A process that was killed may have accepted mail whose `250` nobody saw: it counts as ended, too.
        """
        latest: dict[str, Any] = {}

        def all_ended() -> bool:
            latest.update(self.audit())
            return sum(latest[kind] for kind in TERMINAL) >= recipients and latest["pending"] <= open

        wait_until(all_ended, seconds, lambda: f"{recipients} ended recipients: {latest}")
        return latest

    def endings(self) -> dict[str, list[str]]:
        """The terminal events of each recipient address."""
        found: dict[str, list[str]] = {}
        for event in self.events():
            if event["type"] in TERMINAL and not event.get("late"):
                found.setdefault(event["recipient"], []).append(event["type"])
        return found

    def counts(self) -> Counter[str]:
        return Counter(event["type"] for event in self.events())


class Godwit(Installation):
    """One process of Godwit with a directory of its own. start(), kill() and start() again are the same node."""

    def __init__(self, executable: Path, directory: Path, config: Mapping[str, Any] | None = None,
                 control: Mapping[str, Any] | None = None, certificate: Certificate | None = None,
                 prefix: Sequence[str] = ()) -> None:
        self.executable = executable
        self.directory = directory
        self.prefix = tuple(prefix)
        self.options: tuple[str, ...] = ()  # of `godwit run`
        self.config_file = directory / "godwit.yaml"
        self.control_file = directory / "control.yaml"
        directory.mkdir(parents=True, exist_ok=True)
        tls = {"tls": {"certificate": str(certificate.certificate), "key": str(certificate.key)}} if certificate else {}
        # Operators' commands find the process by these two; mail comes in on ports the kernel chooses.
        self.admin_port, self.observe_port = free_port(), free_port()
        self.config = merged({
            "cluster": "test",
            "data_dir": "data",
            # Small segments: a test writes little, and many tests run at once.
            "log": {"kind": "embedded", "embedded": {"segment_bytes": 8 << 20, "reserve_segments": 2,
                                                     "reserve_table_bytes": 32 << 20}},
            "ingress": {"smtp": [RELAY], "http": {"listen": "127.0.0.1:0"}, "max_message_bytes": 2 << 20, **tls},
            # Nobody is told of failures unless a test is about that: notifications are mails too.
            "sender": {"routes": [], "retry": PATIENT, "notify": False},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "observe": {"listen": f"127.0.0.1:{self.observe_port}"},
            "control": {"file": "control.yaml"},
        }, config or {})
        self.control = dict(control or {})
        self.process: Process | None = None
        self.write_files()

    def write_files(self) -> None:
        # JSON is YAML.
        self.config_file.write_text(json.dumps(self.config, indent=2) + "\n")
        self.control_file.write_text(json.dumps(self.control, indent=2) + "\n")

    # --- the process

    def start(self, seconds: float = START_SECONDS) -> "Godwit":
        self.launch()
        self.wait_until_ready(seconds)
        return self

    def launch(self) -> None:
        """The first half of start(), for who starts several."""
        self.process = Process("godwit", [*self.prefix, self.executable, "run", "-c", self.config_file, *self.options],
                               self.directory)

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        assert self.process
        self.ready_line = self.process.wait_for_output("ready", seconds)

    def kill(self) -> None:
        assert self.process
        self.process.kill()

    def terminate(self, seconds: float = 60) -> int:
        assert self.process
        return self.process.terminate(seconds)

    def close(self) -> None:
        if self.process:
            self.process.clean_up()

    # --- its HTTP ports

    def get(self, path: str, address: tuple[str, int] | None = None) -> tuple[int, str]:
        """Status and body of a page; of the observe port unless told otherwise."""
        connection = http.client.HTTPConnection(*(address or ("127.0.0.1", self.observe_port)), timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 when it is not there."""
        _, page = self.get("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
                   if re.match(rf"{re.escape(name)}(\{{|\s)", line))
