"""What the accounts of pods may do, and `godwit prestop` with the token of one."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kube.installation import Installation
from support.addresses import free_port
from support.chart import Helm
from support.control_plane import ADDRESS, PORT, Api, ControlPlane
from support.godwit import Godwit

NAME = "rel-godwit-sender"
SENDER, OTHERS = "rel-godwit-sender", "rel-godwit"


@pytest.fixture(scope="module")
def installation(control_plane: ControlPlane, helm: Helm) -> Installation:
    return Installation(control_plane, helm, "rights", "--set", "sender.replicaCount=3")


def rules(installation: Installation, account: str) -> list[dict[str, Any]]:
    """All that it may do in the namespace, in the API server's own words, which come in no order."""
    api: Api = installation.api.as_who_has(installation.plane.token_of_account(installation.namespace, account))
    review = api.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": installation.namespace}})
    assert not review["status"].get("incomplete"), review
    found: list[dict[str, Any]] = review["status"]["resourceRules"]
    return sorted(found, key=json.dumps)


def test_senders_may_get_their_set_and_nothing_else(installation: Installation) -> None:
    api = installation.api
    api.create(f"/api/v1/namespaces/{installation.namespace}/serviceaccounts", {"metadata": {"name": "nobody"}})
    of_everybody = rules(installation, "nobody")
    assert rules(installation, OTHERS) == of_everybody
    more = [rule for rule in rules(installation, SENDER) if rule not in of_everybody]
    assert more == [{"verbs": ["get"], "apiGroups": ["apps"], "resources": ["statefulsets"], "resourceNames": [NAME]}]


QUESTIONS: list[tuple[str, dict[str, str], bool]] = [
    ("its_set", {"verb": "get", "group": "apps", "resource": "statefulsets", "name": NAME}, True),
    ("another_set", {"verb": "get", "group": "apps", "resource": "statefulsets", "name": "database"}, False),
    ("its_set_elsewhere", {"verb": "get", "group": "apps", "resource": "statefulsets", "name": NAME, "namespace": "default"}, False),
    ("all_sets", {"verb": "list", "group": "apps", "resource": "statefulsets"}, False),
    ("watching", {"verb": "watch", "group": "apps", "resource": "statefulsets", "name": NAME}, False),
    ("scaling", {"verb": "update", "group": "apps", "resource": "statefulsets", "subresource": "scale", "name": NAME}, False),
    ("changing", {"verb": "patch", "group": "apps", "resource": "statefulsets", "name": NAME}, False),
    ("deleting", {"verb": "delete", "group": "apps", "resource": "statefulsets", "name": NAME}, False),
    ("secrets", {"verb": "get", "group": "", "resource": "secrets", "name": "return-keys"}, False),
    ("configuration", {"verb": "get", "group": "", "resource": "configmaps", "name": NAME}, False),
    ("pods", {"verb": "create", "group": "", "resource": "pods"}, False),
    ("running_commands", {"verb": "create", "group": "", "resource": "pods", "subresource": "exec"}, False),
    ("tokens", {"verb": "create", "group": "", "resource": "serviceaccounts", "subresource": "token", "name": NAME}, False),
]


@pytest.mark.parametrize(("question", "allowed"), [case[1:] for case in QUESTIONS], ids=[case[0] for case in QUESTIONS])
def test_what_senders_may(installation: Installation, question: dict[str, str], allowed: bool) -> None:
    """As `kubectl auth can-i --as=system:serviceaccount:...` asks."""
    review = installation.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": f"system:serviceaccount:{installation.namespace}:{SENDER}",
            "resourceAttributes": {"namespace": installation.namespace, **question}}})
    assert review["status"]["allowed"] is allowed, review["status"]


def test_pods_have_a_token_only_if_they_ask(installation: Installation) -> None:
    for role, wanted in (("sender", True), ("ingress", False), ("router", False), ("bouncer", False)):
        for pod in installation.pods(role).values():
            mounted = any("serviceAccountToken" in source for volume in pod["spec"]["volumes"]
                          for source in volume.get("projected", {}).get("sources", []))
            assert mounted is wanted, role


Prestop = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def prestop(installation: Installation, executable: Path, tmp_path: Path) -> Prestop:
    """prestop(ordinal, config=..., account=...) is what that sender runs before it ends, with the token of an account."""
    def run(ordinal: int, config: Path | None = None, account: str = SENDER) -> "subprocess.CompletedProcess[str]":
        mounted = tmp_path / "serviceaccount"
        mounted.mkdir(exist_ok=True)
        (mounted / "token").write_text(installation.plane.token_of_account(installation.namespace, account))
        (mounted / "namespace").write_text(installation.namespace)
        (mounted / "ca.crt").write_bytes(installation.plane.certificate.certificate.read_bytes())
        if config is None:
            config = tmp_path / "alone.yaml"
            config.write_text(f"admin: {{listen: '127.0.0.1:{free_port()}'}}\n")
        return subprocess.run([executable, "prestop", "-c", config, "--service-account", mounted], capture_output=True,
                              text=True, timeout=60, check=False, env={
                                  "PATH": os.environ["PATH"], "POD_NAME": f"{NAME}-{ordinal}",
                                  "KUBERNETES_SERVICE_HOST": ADDRESS, "KUBERNETES_SERVICE_PORT": str(PORT)})

    return run


def test_who_stays_restarts(prestop: Prestop, start_godwit: Callable[..., Godwit]) -> None:
    godwit = start_godwit()
    done = prestop(2, godwit.config_file)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{NAME}-2 is one of 3: restart\n", "")
    assert godwit.command("ctl", "health", "-c", godwit.config_file).returncode == 0, "nobody was told anything"


def test_who_is_scaled_in_leaves(installation: Installation, prestop: Prestop, start_godwit: Callable[..., Godwit]) -> None:
    godwit = start_godwit()
    installation.scale_senders(2)
    try:
        done = prestop(2, godwit.config_file)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{NAME}-2 is beyond 2: leave\n" in done.stdout
        assert godwit.process.wait(30) == 0, "it was told to drain, and that was its end"
    finally:
        installation.scale_senders(3)


def test_the_account_of_others_learns_nothing(prestop: Prestop) -> None:
    done = prestop(2, account=OTHERS)
    assert done.returncode == 3
    assert "answers 403" in done.stderr
