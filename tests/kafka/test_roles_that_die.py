"""A role of a cluster that dies at the worst moment: nothing is lost, and only what had been answered comes twice.

The process kills itself at a named point (common/base/kill_point.h), in builds for tests.
"""

import contextlib
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from support.cluster import Cluster
from support.destinations import Script, ScriptedServer
from support.godwit import HASTY
from support.mail import Client, message
from support.waiting import wait_until

LATER = "450 4.2.0 later"


class Destination:
    def __init__(self, own: Callable[[Any], Any]) -> None:
        self.answer: str | None = None
        self.server = own(ScriptedServer(Script(rcpt=lambda _: self.answer)))

    @property
    def config(self) -> dict[str, Any]:
        return {"sender": {"routes": [{"domain": "*", "to": self.server.address}], "retry": HASTY}}

    def arrived(self) -> Counter[str]:
        return Counter(self.server.recipients())


@pytest.fixture
def destination(own: Callable[[Any], Any]) -> Destination:
    return Destination(own)


def launch_to_die(cluster: Cluster, role: str, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("GODWIT_KILL_AT", point)
        cluster[role].launch()


def died(cluster: Cluster, role: str) -> None:
    """At its kill point, and in no other way."""
    process = cluster[role].process
    assert process and process.wait(60) == -signal.SIGKILL, "not a build with GODWIT_TEST_HOOKS?"


def start_all_but(cluster: Cluster, role: str) -> None:
    cluster.options = ("--roles=" + ",".join(name for name in ("ingress", "router", "bouncer", "sender") if name != role),)
    cluster.start()
    cluster.options = ()


def submit(cluster: Cluster, recipients: list[str]) -> None:
    with Client(cluster["ingress"].relay) as client:
        for recipient in recipients:
            client.submit(message(recipient), "ann@sender.test", recipient)


def check(cluster: Cluster, everybody: list[str]) -> None:
    report = cluster.wait_until_ended(len(everybody), 90)
    assert report["clean"], report
    assert report["accepted"] == len(everybody)
    assert cluster.endings() == {recipient: ["delivered"] for recipient in everybody}


def test_router_between_writes_and_their_end(make_cluster: Callable[..., Cluster], destination: Destination,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """What an open transaction wrote is never read: nothing is lost and nothing comes twice."""
    cluster = make_cluster(destination.config)
    start_all_but(cluster, "router")
    everybody = [f"u{n}@d{n}.test" for n in range(20)]
    submit(cluster, everybody)
    launch_to_die(cluster, "router", "kafka.writes_sent", monkeypatch)
    died(cluster, "router")
    cluster["router"].start()
    check(cluster, everybody)
    assert destination.arrived() == dict.fromkeys(everybody, 1)


def test_sender_answered_and_not_committed(make_cluster: Callable[..., Cluster], destination: Destination,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_cluster(destination.config)
    start_all_but(cluster, "sender")
    everybody = [f"u{n}@example.test" for n in range(3)]
    launch_to_die(cluster, "sender", "sender.answered:2", monkeypatch)
    for recipient in everybody[:2]:
        submit(cluster, [recipient])
        if recipient == everybody[0]:
            cluster.wait_for_event("delivered", 60, recipient=recipient)
    died(cluster, "sender")
    cluster["sender"].start()
    submit(cluster, everybody[2:])
    check(cluster, everybody)
    assert destination.arrived() == {everybody[0]: 1, everybody[1]: 2, everybody[2]: 1}


def test_sender_committed_and_not_in_its_copy(make_cluster: Callable[..., Cluster], destination: Destination,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """The log knows more than the local copy of the table: the count of attempts is the log's."""
    cluster = make_cluster(destination.config)
    start_all_but(cluster, "sender")
    destination.answer = LATER
    launch_to_die(cluster, "sender", "kafka.committed:2", monkeypatch)
    submit(cluster, ["patience@example.test"])
    died(cluster, "sender")
    told = [event["attempt"] for event in cluster.events() if event["type"] == "deferred"]
    destination.answer = None
    cluster["sender"].start()
    check(cluster, ["patience@example.test"])
    (delivered,) = [event for event in cluster.events() if event["type"] == "delivered"]
    assert told == list(range(1, delivered["attempt"])), "no attempt was counted twice or left out"
    assert destination.arrived() == {"patience@example.test": 1}


def test_sender_during_a_rebuild(make_cluster: Callable[..., Cluster], destination: Destination,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its disk a sender rebuilds what is parked; a rebuild that was cut short is done again."""
    cluster = make_cluster({**destination.config, "log": {"embedded": {"partitions": 1}}})
    destination.answer = LATER
    cluster.start()
    everybody = [f"u{n}@example.test" for n in range(30)]
    submit(cluster, everybody)
    wait_until(lambda: cluster.audit()["pending_parked"] == len(everybody), 60, "parked recipients")
    cluster["sender"].kill()
    attempts = Counter(event["recipient"] for event in cluster.events() if event["type"] == "deferred")
    shutil.rmtree(cluster["sender"].directory / "data")

    launch_to_die(cluster, "sender", "kafka.rebuilding:20", monkeypatch)
    died(cluster, "sender")
    destination.answer = None
    cluster["sender"].start()
    check(cluster, everybody)
    assert destination.arrived() == dict.fromkeys(everybody, 1)
    delivered = {event["recipient"]: event["attempt"] for event in cluster.events() if event["type"] == "delivered"}
    assert delivered == {recipient: count + 1 for recipient, count in attempts.items()}
