"""Godwit: one process on the embedded log, or one for each role on Kafka, with one broker or three."""

import itertools
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.cluster import Cluster
from support.godwit import Godwit, merged
from support.kafka import KafkaCluster

from compare.loads import Load
from compare.peers.peer import Peer, Server, Setup

# Mail that comes back in this time would count as a first attempt.
RETRY = {"first": "1h", "factor": 2, "max": "4h", "age": "5d"}
PARTITIONS_ON_KAFKA = 4  # bench/kafka.py says why


def configuration(setup: Setup) -> dict[str, Any]:
    """Everything goes to the sink, and each recipient domain has a lane of its own."""
    # The log as it is configured for a machine that does nothing else: docs/configuration.md has the defaults.
    config: dict[str, Any] = {
        "log": {"embedded": {"segment_bytes": 64 << 20, "reserve_segments": 4, "reserve_table_bytes": 512 << 20}},
        "observe": {"log_level": "warning"},
        "ingress": {"max_message_bytes": 35 << 20},
        "sender": {"retry": RETRY},
    }
    if setup.sink:
        config["sender"]["routes"] = [{"domain": "*", "to": f"127.0.0.1:{setup.sink[1]}",
                                       "tls": "opportunistic" if setup.load.tls else "disabled"}]
    return config


def control(load: Load) -> dict[str, Any]:
    """Limits lifted: as many connections to the sink as the generator has, shared by the lanes."""
    return {"shaping": [{"default": True, "connection_limit": max(1, load.connections // load.domains),
                         "max_recipients_per_batch": max(100, load.recipients),
                         "max_deliveries_per_connection": load.per_connection or 100_000}]}


class _Godwit(Peer):
    """`prefix` is what the executable is started by; `changes` are laid over the configuration, as `limits` over the control
    data."""

    def __init__(self, executable: Path, prefix: Sequence[str] = (), changes: Mapping[str, Any] | None = None,
                 limits: Mapping[str, Any] | None = None) -> None:
        self.executable, self.prefix = executable, tuple(prefix)
        self.changes, self.limits = dict(changes or {}), dict(limits or {})

    def install(self, cache: Path) -> str:
        said = subprocess.run([self.executable, "--version"], capture_output=True, text=True, check=True).stdout
        return said.strip().removeprefix("godwit ")


class Embedded(_Godwit):
    name = "godwit"

    def start(self, setup: Setup) -> Server:
        node = Godwit(self.executable, setup.directory / "godwit",
                      merged(configuration(setup), self.changes), merged(control(setup.load), self.limits),
                      setup.certificate, self.prefix)
        if not setup.sink:
            node.options = ("--roles=ingress",)
        try:
            node.start()
        except BaseException:
            node.close()
            raise
        assert node.process
        return Server(node.relay, [node.process.pid], node.close,
                      log_octets=lambda: int(node.metric("godwit_log_written_bytes_total")))


class OnKafka(_Godwit):
    """Brokers are started once, when first needed, and live until close(): Java is slow while it is young."""

    def __init__(self, executable: Path, brokers: int, directory: Path) -> None:
        super().__init__(executable)
        self.name = f"godwit-kafka-{brokers}"
        self._count, self._directory = brokers, directory
        self._generations = itertools.count(1)
        self.brokers: KafkaCluster | None = None

    def started(self) -> KafkaCluster:
        if self.brokers is None:
            brokers = KafkaCluster(self._directory / f"{self.name}-{next(self._generations)}", brokers=self._count,
                                   short_lived=False)
            try:
                brokers.start()
            except BaseException:
                brokers.close()
                raise
            self.brokers = brokers
        return self.brokers

    def start(self, setup: Setup) -> Server:
        brokers = self.started()
        cluster = Cluster(brokers, self.executable, setup.directory / "godwit", configuration(setup),
                          control(setup.load), setup.certificate, settings={"partitions": PARTITIONS_ON_KAFKA})
        if not setup.sink:
            cluster.options = ("--roles=ingress",)
        try:
            cluster.start()
        except BaseException:
            cluster.close()
            raise
        theirs = [process.pid for process in brokers.processes if process]
        ours = [node.process.pid for node in cluster.running()]
        return Server(cluster.relay, ours + theirs, cluster.close, brokers=theirs, log_octets=lambda: self._octets(brokers))

    def _octets(self, brokers: KafkaCluster) -> int:
        """What the segments of all topics hold on the first broker, which with three has a replica of each."""
        return sum(file.stat().st_size for file in (brokers.directory / "data0").rglob("*.log"))

    def close(self) -> None:
        if self.brokers is not None:
            self.brokers.close()
            self.brokers = None
