"""Nodes that leave for good, that are gone for good, and that take another's name. Sessions are long: what happens here
happens because somebody says so, not because a time has passed."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from support.cluster import fresh_prefix, on_kafka
from support.destinations import ScriptedServer
from support.godwit import Godwit, merged
from support.kafka import Brokers
from support.mail import Client, message
from support.waiting import wait_until

PARTITIONS = 4
OWNED = 'godwit_kafka_partitions_owned{group="sender"}'
# Below the session, and above what a loaded machine needs for a hand-over.
SECONDS = 90


class Nodes:
    """Of one cluster: make("a", "sender") is a node of that name and role, not started yet."""

    def __init__(self, make: Callable[..., Godwit], broker: Brokers, destination: ScriptedServer) -> None:
        self._make, self._broker, self._prefix = make, broker, fresh_prefix("nodes")
        self.destination = destination

    def make(self, name: str, *roles: str) -> Godwit:
        route = {"sender": {"routes": [{"domain": "*", "to": self.destination.address}]}}
        node = self._make(merged({"node": name, **route}, on_kafka(
            self._broker, self._prefix, partitions=PARTITIONS, session_timeout="4m", lease="30s")))
        node.options = (f"--roles={','.join(roles)}",)
        return node

    def start(self, name: str, *roles: str) -> Godwit:
        return self.make(name, *roles).start()

    def deliver(self, through: Godwit) -> None:
        """Mail for every partition comes to its end."""
        recipients = [f"u{n}@d{n}.test" for n in range(20)]
        with Client(through.relay) as client:
            for recipient in recipients:
                client.submit(message(), "ann@sender.test", recipient)
        assert through.wait_until_ended(len(recipients), SECONDS)["clean"]
        assert Counter(self.destination.recipients()) == Counter(recipients)


@pytest.fixture
def nodes(make_godwit: Callable[..., Godwit], own: Callable[[Any], Any], broker: Brokers) -> Nodes:
    return Nodes(make_godwit, broker, own(ScriptedServer()))


def wait_for_partitions(what: str, **counts: tuple[Godwit, int]) -> None:
    wait_until(lambda: all(node.metric(OWNED) == count for node, count in counts.values()), SECONDS,
               lambda: f"{what}: {({name: node.metric(OWNED) for name, (node, _) in counts.items()})}")


def ctl(node: Godwit, *arguments: str) -> Any:
    return node.command("ctl", *arguments, "-c", node.config_file)


def wait_for_state(asked: Godwit, name: str, state: str) -> None:
    """By the heartbeats that the cluster has: one every ten seconds, and three that are missed are silence."""
    def says_so() -> bool:
        rows = json.loads(ctl(asked, "nodes", "--json").stdout)["nodes"]
        return any(row["node"] == name and row["state"] == state for row in rows)

    wait_until(says_so, SECONDS, f"{name} is {state}")


def test_a_name_is_one_node_s_and_who_leaves_gives_its_partitions_at_once(nodes: Nodes) -> None:
    stays = nodes.start("stays", "ingress", "router", "sender")
    leaves = nodes.start("leaves", "sender")
    wait_for_partitions("shared", stays=(stays, 2), leaves=(leaves, 2))
    wait_for_state(stays, "leaves", "up")

    namesake = nodes.make("leaves", "sender")
    refused = namesake.command("run", "-c", namesake.config_file, *namesake.options)
    assert refused.returncode == 3, refused.stderr
    assert f"a process with the name leaves and the same roles runs at 127.0.0.1:{leaves.admin_port}" in refused.stderr
    # The first one has noticed nothing.
    wait_for_partitions("as before", stays=(stays, 2), leaves=(leaves, 2))

    assert ctl(leaves, "drain", "--leave", "--reason", "test").returncode == 0
    assert leaves.process is not None and leaves.process.wait(SECONDS) == 0
    wait_for_partitions("all of them", stays=(stays, PARTITIONS))
    # A name that is free again.
    assert namesake.start().is_ready()
    wait_for_partitions("shared again", stays=(stays, 2), namesake=(namesake, 2))
    nodes.deliver(stays)


def test_who_is_gone_is_put_out_and_others_have_its_partitions_at_once(nodes: Nodes) -> None:
    stays = nodes.start("stays", "ingress", "router", "sender")
    gone = nodes.start("gone", "sender")
    wait_for_partitions("shared", stays=(stays, 2), gone=(gone, 2))
    wait_for_state(stays, "gone", "up")

    gone.kill()
    refused = ctl(stays, "node", "evict", "gone", "--reason", "test")
    assert refused.returncode != 0 and "gone is alive: its last heartbeat is" in refused.stderr, refused

    wait_for_state(stays, "gone", "silent")
    assert stays.metric(OWNED) == 2
    evicted = ctl(stays, "node", "evict", "gone", "--reason", "test")
    assert evicted.returncode == 0 and evicted.stdout == "gone is out of: sender\n", evicted
    wait_for_partitions("all of them", stays=(stays, PARTITIONS))
    nodes.deliver(stays)
