"""What the API server says to every object of every value set."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.chart import NAMESPACE, VALUE_SETS, Helm, Release, installed_helm
from support.control_plane import Answer, Api, ControlPlane

# PodSecurity `restricted` refuses the node's network, as docs/operations/kubernetes.md says.
ON_THE_NODES_NETWORK = {"example-egress-host-network": {"sender"}, "single-existing": {"single"}}
OPEN = "mail-on-the-nodes"


@pytest.fixture(scope="module")
def namespaces(control_plane: ControlPlane) -> None:
    control_plane.make_namespace(NAMESPACE)
    control_plane.make_namespace("monitoring")
    control_plane.make_namespace(OPEN, "privileged")
    control_plane.define_others()


@pytest.fixture(scope="module")
def rendered() -> dict[str, Release]:
    helm: Helm = installed_helm()
    return {name: helm.template(file) for name, file in VALUE_SETS.items()}


def pods_of(release: Release) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pods as controllers would make them, with their component."""
    for pod in release.pods():
        claims = [{"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": "of-the-set"}}
                  for claim in pod.owner["spec"].get("volumeClaimTemplates", [])]
        yield pod.component, {"apiVersion": "v1", "kind": "Pod",
                              "spec": {**pod.spec, "volumes": [*pod.spec.get("volumes", []), *claims]},
                              "metadata": {"name": f"try-{pod.component}", "labels": pod.metadata["labels"],
                                           "annotations": pod.metadata.get("annotations", {})}}


@pytest.mark.parametrize("name", VALUE_SETS)
def test_every_object_is_taken(control_plane: ControlPlane, namespaces: None, rendered: dict[str, Release], name: str) -> None:
    """Without a warning: none is of a version that goes away, and no field is one that does nothing."""
    api = control_plane.api
    on_the_nodes = ON_THE_NODES_NETWORK.get(name, set())
    for found in rendered[name].objects:
        if found["kind"] == "Pod":  # below
            continue
        answer = api.apply(found, found["metadata"]["namespace"], dry=True)
        assert answer.status in (200, 201), (found["kind"], found["metadata"]["name"], answer.message)
        of_security = [text for text in answer.warnings if "would violate PodSecurity" in text]
        assert answer.warnings == of_security
        component = found["metadata"]["labels"].get("app.kubernetes.io/component")
        assert bool(of_security) == (found["kind"] in ("Deployment", "StatefulSet") and component in on_the_nodes)


def create_dry(api: Api, namespace: str, pod: dict[str, Any]) -> Answer:
    return api.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)


@pytest.mark.parametrize("name", VALUE_SETS)
def test_every_pod_is_taken_where_pods_are_restricted(control_plane: ControlPlane, namespaces: None,
                                                      rendered: dict[str, Release], name: str) -> None:
    api = control_plane.api
    for component, pod in pods_of(rendered[name]):
        if priority := pod["spec"].get("priorityClassName"):
            assert api.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000,
                              "metadata": {"name": priority}}, "").status in (200, 201)
        for namespace in (NAMESPACE, OPEN):
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": pod["spec"]["serviceAccountName"]}}
            assert api.apply(account, namespace).status in (200, 201)
        answer = create_dry(api, NAMESPACE, pod)
        if component in ON_THE_NODES_NETWORK.get(name, set()):
            assert answer.status == 403 and "hostNetwork" in answer.message, answer
            answer = create_dry(api, OPEN, pod)
        assert answer.status == 201, (component, answer.message)
        assert not answer.warnings


def test_what_is_wrong_is_refused(control_plane: ControlPlane, namespaces: None, rendered: dict[str, Release]) -> None:
    """The tests above see what is wrong."""
    api = control_plane.api
    for wrong in ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "date": {}},
                  {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "x"},
                   "spec": {"scaleTargetRef": {"name": "x"}, "triggers": [], "minReplicas": 1}}):
        answer = api.apply(wrong, NAMESPACE, dry=True)
        assert answer.status in (400, 500) and re.search("field not declared|unknown field", answer.message), answer
    (_, pod), *_ = pods_of(rendered["default"])
    assert create_dry(api, NAMESPACE, pod).status == 201
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    answer = create_dry(api, NAMESPACE, pod)
    assert answer.status == 403 and "allowPrivilegeEscalation" in answer.message
