"""The ready story on a real Kafka: deliver, defer and deliver, a kill, a restart; in one process and role by role."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.cluster import fresh_prefix, on_kafka
from support.destinations import Script, ScriptedServer
from support.godwit import HASTY, Godwit, merged
from support.kafka import PASSWORD, USER, Brokers, KafkaCluster
from support.mail import Client, message
from support.waiting import wait_until


@pytest.fixture
def prefix() -> str:
    return fresh_prefix("stories")


def route_to(server: ScriptedServer) -> dict[str, Any]:
    return {"sender": {"routes": [{"domain": "*", "to": server.address}], "retry": HASTY}}


def submit(godwit: Godwit, recipients: list[str]) -> None:
    with Client(godwit.relay) as client:
        for recipient in recipients:
            client.submit(message(), "ann@sender.test", recipient)


def test_one_process(make_godwit: Callable[..., Godwit], own: Callable[[Any], Any], broker: Brokers,
                     prefix: str) -> None:
    refused: set[str] = set()

    def once(recipient: str) -> str | None:
        if recipient in refused or "later" not in recipient:
            return None
        refused.add(recipient)
        return "450 4.2.0 greylisted"

    server = own(ScriptedServer(Script(rcpt=once)))
    godwit = make_godwit(merged({"node": "one", **route_to(server)}, on_kafka(broker, prefix)))
    godwit.start()
    first = [f"u{n}@example.test" for n in range(20)] + [f"later{n}@example.test" for n in range(5)]
    submit(godwit, first)
    report = godwit.wait_until_ended(len(first))
    assert report["clean"], report
    assert sorted(server.recipients()) == sorted(first)

    # What waits in the retry queue is there after a kill, and what comes then goes out.
    server.script.rcpt = lambda _: "450 4.2.0 not now"
    parked = [f"parked{n}@example.test" for n in range(10)]
    submit(godwit, parked)
    wait_until(lambda: godwit.audit()["pending_parked"] == len(parked), 60, "parked recipients")
    godwit.kill()
    server.script.rcpt = lambda _: None
    godwit.start()
    last = [f"after{n}@example.test" for n in range(10)]
    submit(godwit, last)
    everybody = first + parked + last
    report = godwit.wait_until_ended(len(everybody))
    assert report["clean"], report
    assert Counter(server.recipients()) == Counter(everybody)
    assert godwit.terminate() == 0


def test_the_end_has_its_bound_without_a_broker(make_godwit: Callable[..., Godwit], own: Callable[[Any], Any],
                                                tmp_path: Path, prefix: str) -> None:
    cluster = own(KafkaCluster(tmp_path / "kafka"))
    cluster.start()
    godwit = make_godwit(merged({"node": "one", "drain_timeout": "1s", "sender": {"routes": [{"domain": "*", "to": "capture"}]}},
                                on_kafka(cluster, prefix)))
    godwit.start()
    submit(godwit, [f"u{n}@example.test" for n in range(20)])
    cluster.kill(0)
    # librdkafka may wait for it where nothing breaks it off: 30 s behind the drain it is given up, with 3.
    assert godwit.process
    assert godwit.process.terminate(60) in (0, 3)


def test_each_role_in_its_own_process(make_godwit: Callable[..., Godwit], own: Callable[[Any], Any],
                                      brokers: KafkaCluster, prefix: str) -> None:
    server = own(ScriptedServer())
    nodes: dict[str, list[Godwit]] = {"sender": [], "router": [], "ingress": []}
    for role, number in itertools.product(nodes, (1, 2)):
        godwit = make_godwit(merged({"node": f"{role}{number}", **route_to(server)}, on_kafka(brokers, prefix)))
        godwit.options = (f"--roles={role}",)
        nodes[role].append(godwit.start())

    everybody = [f"u{n}@d{n}.test" for n in range(40)]
    for number, ingress in enumerate(nodes["ingress"]):
        submit(ingress, everybody[number::2])
    asked = nodes["ingress"][0]
    report = asked.wait_until_ended(len(everybody))
    assert report["clean"], report
    assert Counter(server.recipients()) == Counter(everybody)

    # A sender that is gone for good: its partitions, and what is parked in them, are the other's.
    server.script.rcpt = lambda _: "450 4.2.0 not now"
    parked = [f"p{n}@d{n}.test" for n in range(20)]
    submit(asked, parked)
    wait_until(lambda: asked.audit()["pending_parked"] == len(parked), 60, "parked recipients")
    nodes["sender"][0].kill()
    server.script.rcpt = lambda _: None
    report = asked.wait_until_ended(len(everybody) + len(parked), 90)
    assert report["clean"], report
    assert set(server.recipients()) == set(everybody + parked)
    for godwit in (*nodes["ingress"], *nodes["router"], nodes["sender"][1]):
        assert godwit.terminate() == 0


@pytest.mark.parametrize("mechanism", ["scram-sha-512", "plain"])
def test_secured(make_godwit: Callable[..., Godwit], own: Callable[[Any], Any], secured_broker: Brokers,
                 prefix: str, mechanism: str) -> None:
    server = own(ScriptedServer())
    security = {"tls": {"enabled": True, "ca": str(secured_broker.certificate.certificate)},
                "sasl": {"mechanism": mechanism, "username": USER, "password": PASSWORD}}
    godwit = make_godwit(merged({"node": "one", **route_to(server)}, on_kafka(secured_broker, prefix, **security)))
    godwit.start()
    submit(godwit, ["ann@example.test"])
    assert godwit.wait_until_ended(1)["clean"]
    assert server.recipients() == ["ann@example.test"]
