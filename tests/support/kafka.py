"""A real Kafka on loopback: brokers of a cluster of its own, on free ports, in a directory of the test.

    tests/support/kafka.py COMMAND...      runs a command beside one broker, named in GODWIT_KAFKA_BROKERS
"""

import base64
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from confluent_kafka import KafkaException  # noqa: E402
from confluent_kafka.admin import AdminClient  # noqa: E402

from support.addresses import free_port  # noqa: E402
from support.certificates import Certificate  # noqa: E402
from support.process import Process  # noqa: E402
from support.proxy import Proxy, owner_of  # noqa: E402
from support.waiting import wait_until  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
# The serial collector keeps a broker at one core.
JAVA = ["java", "-Xmx512m", "-Xshare:auto", "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
# What lives a minute is quicker without the second compiler, which makes code three times as fast.
SHORT_LIVED = ["-XX:TieredStopAtLevel=1"]

USER, PASSWORD = "godwit", "pass word of godwit"


def jars() -> str:
    folder = subprocess.run([ROOT / "scripts/kafka"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"{folder}/*"


@dataclass(frozen=True)
class Brokers:
    """How clients come in. With `certificate` they need TLS and a password: user USER, by PLAIN, SCRAM-SHA-256 or
    SCRAM-SHA-512."""

    bootstrap: str
    count: int
    certificate: Certificate | None = None

    def client_settings(self, **settings: str) -> dict[str, Any]:
        """What a client of librdkafka needs to come in."""
        if self.certificate is None:
            return {"bootstrap.servers": self.bootstrap, **settings}
        return {"bootstrap.servers": self.bootstrap, "security.protocol": "sasl_ssl",
                "ssl.ca.location": str(self.certificate.certificate), "sasl.mechanisms": "SCRAM-SHA-256",
                "sasl.username": USER, "sasl.password": PASSWORD, **settings}


def wait_for_brokers(bootstrap: str, expected: set[int], process: Process | None = None) -> None:
    """Waits until the broker at this address, which is this process, lists exactly these."""
    def listed() -> bool:
        assert process is None or process.status is None, process.errors()[-4000:]
        try:
            client = AdminClient({"bootstrap.servers": bootstrap, "log_level": "0"})
            return set(client.list_topics(timeout=2).brokers) == expected
        except KafkaException:  # not there yet, whatever the reason
            return False

    wait_until(listed, START_SECONDS, lambda: "brokers that see each other")


def addresses(ports: list[int]) -> str:
    return ",".join(f"127.0.0.1:{port}" for port in ports)


class KafkaCluster:
    """`brokers` combined nodes; start() returns when each of them sees all of them.

    They let everybody in at `plain`; with `certificate` there is a second door, `secured`. `proxied`: clients come
    through `proxies`, one for each broker, which can be cut, and brokers reach each other through others: link().
    `short_lived`: quick to start, and slow.
    """

    def __init__(self, directory: Path, brokers: int = 1, certificate: Certificate | None = None, *,
                 proxied: bool = False, short_lived: bool = True) -> None:
        self._java = [*JAVA, *(SHORT_LIVED if short_lived else [])]
        self.directory = directory
        self.certificate = certificate
        self.count = brokers
        self.client_ports = [free_port() for _ in range(brokers)]
        self.secured_ports = [free_port() for _ in range(brokers)] if certificate else []
        self.internal_ports = [free_port() for _ in range(brokers)]
        self.controller_ports = [free_port() for _ in range(brokers)]
        self.proxies = [Proxy(port) for port in self.client_ports] if proxied else []
        self._inner = [[Proxy(ports[node], self._broker_at) for ports in (self.internal_ports, self.controller_ports)]
                       for node in range(brokers)] if proxied else []
        self.plain = Brokers(addresses([proxy.port for proxy in self.proxies] or self.client_ports), brokers)
        self.secured = Brokers(addresses(self.secured_ports), brokers, certificate)
        self.cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.processes: list[Process | None] = [None] * brokers
        self._jars = jars()
        directory.mkdir(parents=True, exist_ok=True)
        for node in range(brokers):
            self._configure(node)
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._format, range(brokers)))

    @property
    def bootstrap(self) -> str:
        return self.plain.bootstrap

    def _configure(self, node: int) -> None:
        internal, controllers = self.internal_ports, self.controller_ports
        if self._inner:
            internal, controllers = ([pair[which].port for pair in self._inner] for which in (0, 1))
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers))
        replicas = min(3, self.count)
        in_sync = min(2, self.count)
        properties = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map":
                "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT,SECURED:SASL_SSL",
            "listeners": f"CLIENT://127.0.0.1:{self.client_ports[node]},INTERNAL://127.0.0.1:{self.internal_ports[node]},"
                         f"CONTROLLER://127.0.0.1:{self.controller_ports[node]}",
            "log.dirs": self.directory / f"data{node}",
            "auto.create.topics.enable": "false",
            "offsets.retention.minutes": 45 * 24 * 60,
            "offsets.topic.num.partitions": 8,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 8,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": replicas,
            # A test does not wait for members who might still come.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # A broker that is alone has nobody who takes over; on a machine that has no time for it, it would be fenced by
            # its own controller, and no partition have a leader.
            "broker.session.timeout.ms": 3000 if self.count > 1 else 120_000,
            "broker.heartbeat.interval.ms": 500,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
            "log.cleaner.threads": 1,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "controlled.shutdown.max.retries": 1,
        }
        if self.certificate is not None:
            store = self.directory / "broker.pem"
            store.write_text(self._pkcs8_key() + self.certificate.certificate.read_text())
            plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
            properties["listeners"] = f"{properties['listeners']},SECURED://127.0.0.1:{self.secured_ports[node]}"
            properties |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": store,
                "ssl.client.auth": "none",
                "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
                "listener.name.secured.plain.sasl.jaas.config": f'{plain} required user_{USER}="{PASSWORD}";',
                "listener.name.secured.scram-sha-256.sasl.jaas.config": f"{scram} required;",
                "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{scram} required;",
            }
        if self.proxies:
            properties["advertised.listeners"] = (f"CLIENT://127.0.0.1:{self.proxies[node].port},"
                                                  f"INTERNAL://127.0.0.1:{internal[node]},"
                                                  f"CONTROLLER://127.0.0.1:{controllers[node]}")
        self._file(node).write_text("".join(f"{key}={value}\n" for key, value in properties.items()))

    def _pkcs8_key(self) -> str:
        assert self.certificate is not None
        return subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", self.certificate.key],
                              check=True, stdout=subprocess.PIPE, text=True).stdout

    def _file(self, node: int) -> Path:
        return self.directory / f"broker{node}.properties"

    def _format(self, node: int) -> None:
        command: list[Any] = [*JAVA, *SHORT_LIVED, "-cp", self._jars, "kafka.tools.StorageTool", "format", f"--cluster-id={self.cluster_id}",
                              "-c", self._file(node)]
        if self.certificate is not None:
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                command += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start_broker(self, node: int) -> None:
        self.processes[node] = Process(f"kafka{node}", [*self._java, "-cp", self._jars, "kafka.Kafka", self._file(node)],
                                       self.directory)

    def start(self) -> "KafkaCluster":
        for node in range(self.count):
            self.start_broker(node)
        self.wait_complete()
        return self

    def wait_complete(self, nodes: set[int] | None = None) -> None:
        """Waits until each of these brokers (all by default) lists exactly these."""
        expected = nodes if nodes is not None else set(range(self.count))
        for node in expected:
            process = self.processes[node]
            assert process is not None
            wait_for_brokers(addresses([self.client_ports[node]]), expected, process)

    def kill(self, node: int) -> None:
        process = self.processes[node]
        assert process is not None
        process.kill()

    def stop(self, node: int) -> None:
        process = self.processes[node]
        assert process is not None
        process.terminate(60)

    def _broker_at(self, port: int) -> int | None:
        """The broker that has connected from this port."""
        numbers = {process.pid: node for node, process in enumerate(self.processes) if process}
        return numbers.get(owner_of(port, numbers) or 0)

    def link(self, one: int, other: int) -> list[tuple[Proxy, int]]:
        """What is between two brokers, both ways: proxies, and whose connections there."""
        return [(proxy, origin) for to, origin in ((one, other), (other, one)) for proxy in self._inner[to]]

    def close(self) -> None:
        for proxy in [*self.proxies, *itertools.chain.from_iterable(self._inner)]:
            proxy.close()
        for process in self.processes:
            if process is not None:
                process.clean_up()


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="godwit-kafka-"))
    started = time.monotonic()
    cluster = KafkaCluster(directory)
    try:
        cluster.start()
        print(f"one broker at {cluster.bootstrap} after {time.monotonic() - started:.1f} s", file=sys.stderr)
        return subprocess.run(sys.argv[1:], env={**os.environ, "GODWIT_KAFKA_BROKERS": cluster.bootstrap},
                              check=False).returncode
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
