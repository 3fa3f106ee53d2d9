"""A cluster of Godwit on Kafka, each role in a process of its own; for a test it is what one process is."""

import copy
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.certificates import Certificate
from support.godwit import START_SECONDS, Godwit, Installation, merged
from support.kafka import Brokers, KafkaCluster
from support.process import Process, Processes

ROLES = ("ingress", "router", "bouncer", "sender")
_prefixes = itertools.count(1)


def fresh_prefix(what: str = "test") -> str:
    """A prefix of topics that no other test has, also of those that run beside this one on the same brokers."""
    return f"{what}{os.environ.get('PYTEST_XDIST_WORKER', '')}-{next(_prefixes)}."


def on_kafka(brokers: Brokers | KafkaCluster, prefix: str, **settings: Any) -> dict[str, Any]:
    """The configuration of a Godwit whose log is on these brokers; sessions are short, so that tests are."""
    return {"log": {"kind": "kafka", "kafka": {
        "brokers": brokers.bootstrap.split(","), "topic_prefix": prefix, "partitions": 4,
        "replication": min(3, brokers.count), "min_insync_replicas": min(2, brokers.count),
        "session_timeout": "6s", "lease": "3s", **settings}}}


class Cluster(Installation):
    """One process for each role, with a directory and a data_dir of its own; configuration and control data are shared.

    `options` are those of `godwit run`: "--roles=ingress" leaves the other roles' processes out. Commands ask ingress;
    metrics are sums. What a configuration says about `log.embedded.partitions` holds for Kafka's topics, too.
    """

    def __init__(self, brokers: Brokers | KafkaCluster, executable: Path, directory: Path,
                 config: Mapping[str, Any] | None = None, control: Mapping[str, Any] | None = None,
                 certificate: Certificate | None = None, prefix: Sequence[str] = (),
                 settings: Mapping[str, Any] | None = None) -> None:
        self.executable, self.directory, self.prefix = executable, directory, tuple(prefix)
        self.options: tuple[str, ...] = ()
        self.control = dict(control or {})
        directory.mkdir(parents=True, exist_ok=True)
        # Return addresses are signed by one process and looked at by another.
        keys = directory / "return_keys"
        keys.write_text(f"1 {'42' * 32}\n")
        keys.chmod(0o600)
        self.config = merged({"bounce": {"key_file": str(keys)}}, config or {})
        partitions = self.config.get("log", {}).get("embedded", {}).get("partitions")
        log = on_kafka(brokers, fresh_prefix(), **({"partitions": partitions} if partitions else {}), **(settings or {}))
        self._nodes = {role: Godwit(executable, directory / role, merged(merged({"node": role}, self.config), log),
                                    self.control, certificate, prefix) for role in ROLES}
        for role, node in self._nodes.items():
            node.options = (f"--roles={role}",)
        self.config_file, self.control_file = self["ingress"].config_file, self["ingress"].control_file
        self.admin_port, self.observe_port = self["ingress"].admin_port, self["ingress"].observe_port

    def __getitem__(self, role: str) -> Godwit:
        return self._nodes[role]

    def write_files(self) -> None:
        for node in self._nodes.values():
            node.control = copy.deepcopy(self.control)
            node.write_files()

    # --- the processes

    def _wanted(self) -> list[Godwit]:
        text = " ".join(self.options).replace("=", " ")
        if "--roles" not in text:
            return list(self._nodes.values())
        return [self[role] for role in text.split("--roles ")[1].split()[0].split(",")]

    @property
    def process(self) -> Processes:
        """What was started last."""
        return Processes([node.process for node in self._nodes.values() if node.process])

    def start(self, seconds: float = START_SECONDS) -> "Cluster":
        """Starts what does not run; returns when all are ready."""
        wanted = self._wanted()
        for node in wanted:
            if not node.process or node.process.status is not None:
                node.launch()
        for node in wanted:
            node.wait_until_ready(seconds)
        self.ready_line = " ".join(node.ready_line for node in wanted)
        return self

    def kill(self) -> None:
        self.process.kill()

    def terminate(self, seconds: float = 60) -> int:
        return self.process.terminate(seconds)

    def close(self) -> None:
        for node in self._nodes.values():
            node.close()

    # --- their HTTP ports

    def running(self) -> list[Godwit]:
        return [node for node in self._nodes.values() if node.process and node.process.status is None]

    def get(self, path: str, address: tuple[str, int] | None = None) -> tuple[int, str]:
        """Of ingress, unless told otherwise."""
        return self["ingress"].get(path, address)

    def is_ready(self) -> bool:
        return all(node.is_ready() for node in self.running())

    def metric(self, name: str) -> float:
        return sum(node.metric(name) for node in self.running())
