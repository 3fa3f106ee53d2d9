"""The configuration that pods find is one that Godwit takes, and what it says fits what the pod has."""

import subprocess
from pathlib import Path

import pytest
import yaml

from support.certificates import Certificate
from support.chart import Helm, Pod, Release, lay_out

CONFIG = "etc/godwit/config/godwit.yaml"


@pytest.fixture
def given(certificate: Certificate) -> dict[str, str]:
    """What is in Secrets that are not the chart's, by mount and path."""
    chain, key = certificate.certificate.read_text(), certificate.key.read_text()
    return {"tls/tls.crt": chain, "tls/tls.key": key, "kafka-ca/ca.crt": chain, "kafka-client/tls.crt": chain,
            "kafka-client/tls.key": key, "kafka-sasl/password": "secret\n", "admin/token": "secret\n", "admin-token-0/token": "0123456789abcdef\n", "admin-token-1/token": "fedcba9876543210\n",
            "admin-tls/tls.crt": chain, "admin-tls/tls.key": key, "admin-tls/ca.crt": chain, "admin-clients/ca.crt": chain,
            "bounce/return_keys": f"1 {'42' * 16}\n", "more/password": "secret\n",
            "control/control.yaml": "tenants: [{name: demo}]\n"}


def environment(pod: Pod) -> dict[str, str]:
    """Of the container; secret ones have some text."""
    return {variable["name"]: variable.get("value", "x") for variable in pod.container["env"]}


def config_of(release: Release, pod: Pod) -> dict:
    found = release.named("ConfigMap", pod.owner["metadata"]["name"])
    assert found
    config: dict = yaml.safe_load(found["data"]["godwit.yaml"])
    return config


def test_godwit_takes_it(release: Release, executable: Path, tmp_path: Path, given: dict[str, str]) -> None:
    for pod in release.workloads():
        root = tmp_path / pod.component
        lay_out(release, pod, root, given)
        done = subprocess.run([executable, "check", "-c", root / CONFIG], capture_output=True, text=True, timeout=60,
                              env=environment(pod), check=False)
        assert done.returncode == 0, f"{pod.component}: {done.stderr}"
        assert done.stdout.strip().endswith("godwit.yaml: fine")
        # A part that is accepted and not in effect would be one that nobody checked.
        assert not done.stderr, done.stderr


def test_what_godwit_refuses_is_seen(helm: Helm, executable: Path, tmp_path: Path, given: dict[str, str]) -> None:
    """`config` is not the schema's affair, but the executable's: the key is named all the same."""
    values = tmp_path / "values.yaml"
    values.write_text("config: {sender: {smtp_prot: 25}}\n")
    release = helm.template(values)
    pod = release.workload("single")
    lay_out(release, pod, tmp_path / "root", given)
    done = subprocess.run([executable, "check", "-c", tmp_path / "root" / CONFIG], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1
    assert "sender.smtp_prot" in done.stderr


def test_listeners_are_the_ports_of_the_pod(release: Release) -> None:
    for pod in release.workloads():
        config = config_of(release, pod)
        ports = {port["name"]: port["containerPort"] for port in pod.container["ports"]}
        listened = {int(config["observe"]["listen"].rpartition(":")[2])}
        ingress = config.get("ingress", {})
        listened |= {int(one["listen"].rpartition(":")[2]) for one in ingress.get("smtp", [])}
        if "http" in ingress:
            listened.add(int(ingress["http"]["listen"].rpartition(":")[2]))
        host, _, port = config["admin"]["listen"].rpartition(":")
        if host != "127.0.0.1":
            listened.add(int(port))
            assert config["admin"]["token"], "Godwit would not start"
        assert listened == set(ports.values()), pod.component
        assert bool(ingress) == (pod.component in ("single", "ingress"))


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_grace_is_longer_than_what_the_end_may_take(release: Release) -> None:
    for pod in release.workloads():
        config = config_of(release, pod)
        hook = pod.container.get("lifecycle", {}).get("preStop", {})
        before = hook.get("sleep", {}).get("seconds", 0)
        if hook.get("exec", {}).get("command", [])[:2] == ["godwit", "prestop"]:
            before += 5  # cli/kubernetes/prestop.h
        handover = seconds(config["log"]["kafka"]["revocation"]) if config["log"]["kind"] == "kafka" else 0
        assert pod.spec["terminationGracePeriodSeconds"] >= before + seconds(config["drain_timeout"]) + handover + 5


def test_grace_follows_the_values(helm: Helm, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("drain: {endpointsSeconds: 20, timeoutSeconds: 300, marginSeconds: 10}\n")
    pod = helm.template(values).workload("single")
    assert pod.spec["terminationGracePeriodSeconds"] == 330
    assert pod.container["lifecycle"]["preStop"] == {"sleep": {"seconds": 20}}


def test_who_leaves_and_who_restarts(rendered: dict[str, Release]) -> None:
    """A pod of a Deployment has a name that never comes back: nobody is to wait for it."""
    release = rendered["example-strimzi"]
    commands = {pod.component: pod.container["lifecycle"]["preStop"].get("exec", {}).get("command")
                for pod in release.workloads()}
    leave = ["godwit", "ctl", "drain", "--leave", "--reason", "preStop", "-c", f"/{CONFIG}"]
    assert commands == {"ingress": None, "router": leave, "bouncer": leave,
                        "sender": ["godwit", "prestop", "-c", f"/{CONFIG}"]}
