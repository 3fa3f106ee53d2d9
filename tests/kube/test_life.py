"""A release lives: installed, changed, scaled, moved about, rolled back, gone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kube.installation import Installation
from support.chart import Helm
from support.control_plane import ControlPlane
from support.waiting import wait_until


def senders(count: int) -> set[str]:
    return {f"rel-godwit-sender-{ordinal}" for ordinal in range(count)}


@pytest.fixture(scope="module")
def installation(control_plane: ControlPlane, helm: Helm) -> Iterator[Installation]:
    yield Installation(control_plane, helm, "life")


def zones(installation: Installation, component: str) -> list[str]:
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
             for node in installation.api.items("/api/v1/nodes")}
    return [nodes[pod["spec"]["nodeName"]] for pod in installation.pods(component).values()]


def test_install(installation: Installation) -> None:
    assert installation.ready("sender") == senders(2)
    assert {role: len(installation.ready(role)) for role in ("ingress", "router", "bouncer")} == {
        "ingress": 2, "router": 2, "bouncer": 1}
    assert installation.claims() == {f"data-{name}" for name in senders(2)}
    for role in ("ingress", "router", "sender"):
        assert len(set(zones(installation, role))) == 2, "pods of a role are spread"


def test_upgrade_makes_new_pods(installation: Installation) -> None:
    """A change of the configuration does, for every role: Deployments have no pod less meanwhile, senders one at most."""
    roles = ("ingress", "router", "sender")
    before = {role: {pod["metadata"]["uid"] for pod in installation.pods(role).values()} for role in roles}
    fewest = dict.fromkeys(roles, 2)
    with ThreadPoolExecutor(1) as beside:
        upgrade = beside.submit(installation.upgrade, "--set", "config.threads=2")
        while not upgrade.done():
            for role in roles:
                fewest[role] = min(fewest[role], len(installation.ready(role)))
        upgrade.result()
    assert fewest == {"ingress": 2, "router": 2, "sender": 1}
    for role, uids in before.items():
        installation.wait_ready(role, 2)
        assert not uids & {pod["metadata"]["uid"] for pod in installation.pods(role).values()}, role
    assert installation.ready("sender") == senders(2)


def test_upgrade_of_nothing_makes_none(installation: Installation) -> None:
    before = {pod["metadata"]["uid"] for role in ("ingress", "router", "sender", "bouncer")
              for pod in installation.pods(role).values()}
    installation.upgrade("--set", "metrics.dashboards.enabled=true")
    after = {pod["metadata"]["uid"] for role in ("ingress", "router", "sender", "bouncer")
             for pod in installation.pods(role).values()}
    assert before == after


def test_senders_come_and_go(installation: Installation) -> None:
    """2 -> 5 -> 3: who stays is not touched, the highest ordinals go, and volumes stay."""
    first = {name: pod["metadata"]["uid"] for name, pod in installation.pods("sender").items()}
    installation.upgrade("--set", "sender.replicaCount=5")
    assert installation.wait_ready("sender", senders(5)) == senders(5)
    assert sorted(set(zones(installation, "sender"))) == ["zone0", "zone1", "zone2"]
    installation.upgrade("--set", "sender.replicaCount=3")
    assert installation.wait_ready("sender", senders(3)) == senders(3)
    uids = {name: pod["metadata"]["uid"] for name, pod in installation.pods("sender").items()}
    assert {name: uids[name] for name in first} == first
    assert installation.claims() == {f"data-{name}" for name in senders(5)}, "sender.persistence.whenScaled: Retain"


def test_rollback(installation: Installation) -> None:
    installation.rollback(1)
    assert installation.wait_ready("sender", senders(2)) == senders(2)
    template = installation.api.get(f"{installation.sets}/rel-godwit-sender")["spec"]["template"]
    pod = installation.pods("sender")["rel-godwit-sender-0"]
    for where in (template, pod):
        assert where["metadata"]["annotations"]["checksum/config"]
    config = installation.api.get("/api/v1/namespaces/life/configmaps/rel-godwit-sender")["data"]["godwit.yaml"]
    assert "threads" not in config
    assert (pod["metadata"]["annotations"]["checksum/config"] == template["metadata"]["annotations"]["checksum/config"])
    installation.rollback(3)  # and forward again: 2 senders with threads
    config = installation.api.get("/api/v1/namespaces/life/configmaps/rel-godwit-sender")["data"]["godwit.yaml"]
    assert "threads: 2" in config


@pytest.mark.parametrize("role", ["ingress", "router", "sender"])
def test_eviction(installation: Installation, role: str) -> None:
    """As when nodes are drained: one of a role may go, the next only when the role is whole again."""
    one, other = sorted(installation.wait_ready(role, 2))
    wait_until(lambda: installation.may_be_evicted(role) == 1, 30, "the budget knows that the role is whole")
    assert installation.evict(one).status == 201
    refused = installation.evict(other)
    assert refused.status == 429, refused
    assert refused.body["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert other in installation.ready(role)
    installation.wait_ready(role, 2)
    wait_until(lambda: installation.evict(other).status == 201, 30, "the other may go now")
    installation.wait_ready(role, 2)


def test_the_only_bouncer_may_be_evicted(installation: Installation) -> None:
    """A budget that never lets go would keep a node from being drained."""
    (only,) = installation.wait_ready("bouncer", 1)
    assert installation.evict(only).status == 201
    assert installation.wait_ready("bouncer", 1) != {only}


def test_autoscaler_takes_over(installation: Installation) -> None:
    """A role that somebody else scales keeps the pods it has when Helm lets go of it: not one pod for a moment."""
    before = {pod["metadata"]["uid"] for pod in installation.pods("router").values()}
    installation.upgrade("--set", "router.autoscaling.enabled=true", "--set", "router.autoscaling.minReplicas=2")
    found = installation.api.get("/apis/autoscaling/v2/namespaces/life/horizontalpodautoscalers/rel-godwit-router")
    assert found["spec"]["scaleTargetRef"]["name"] == "rel-godwit-router"
    installation.wait_ready("router", 2)
    assert {pod["metadata"]["uid"] for pod in installation.pods("router").values()} == before


def test_uninstall(installation: Installation) -> None:
    """Nothing stays but the volumes, which have mail in mode single, and are copies here."""
    claims = installation.claims()
    installation.uninstall()
    api = installation.api
    for path in ("/apis/apps/v1/namespaces/life/statefulsets", "/apis/apps/v1/namespaces/life/deployments",
                 "/api/v1/namespaces/life/services", "/apis/policy/v1/namespaces/life/poddisruptionbudgets",
                 "/apis/rbac.authorization.k8s.io/v1/namespaces/life/roles",
                 "/apis/rbac.authorization.k8s.io/v1/namespaces/life/rolebindings"):
        assert api.items(path) == [], path
    assert claims and installation.claims() == claims
