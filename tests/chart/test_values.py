"""The values: each has its comment and its place in the schema, and what is wrong with them is told by the key."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from support.chart import CHART, ROOT, Helm

VALUES_FILE = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(VALUES_FILE)
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# Of Kubernetes, or of Godwit: the chart only passes them on.
PASSED_ON = {"affinity", "config", "requests", "limits", "podSecurityContext", "securityContext", "behavior", "global",
             "extraEnv", "extraVolumes", "extraVolumeMounts"}

CLUSTER = {"mode": "cluster", "kafka": {"brokers": ["kafka:9092"]}}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found = SCHEMA
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def maps(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every map that the schema describes, with its place."""
    schema = resolved(schema)
    if schema.get("type") == "object":
        yield path, schema
        for key, below in schema.get("properties", {}).items():
            yield from maps(below, (*path, key))


def keys(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the values whose value is not a map, or is an empty one."""
    if isinstance(values, dict) and values and not (path and path[-1] in PASSED_ON):
        for key, below in values.items():
            yield from keys(below, (*path, key))
    else:
        yield path


def test_unknown_keys_are_refused_everywhere() -> None:
    open_maps = [".".join(path) for path, schema in maps(SCHEMA)
                 if schema.get("additionalProperties", True) is True and path[-1] not in PASSED_ON]
    assert not open_maps


def test_values_and_schema_have_the_same_keys() -> None:
    for path, schema in maps(SCHEMA):
        if "properties" not in schema:
            continue
        values = VALUES
        for part in path:
            values = values[part]
        if path[-1:] == ("resources",) or path == ("control", "data"):
            continue
        assert set(schema["properties"]) - {"global"} == set(values), path


def test_every_value_has_a_comment() -> None:
    """As helm-docs reads them: `# --` in front of the key, at its indentation."""
    lines = VALUES_FILE.splitlines()
    stack: list[tuple[int, str]] = []
    commented = set()
    comment = ""
    for line in lines:
        if re.match(r"\s*#", line):
            comment = comment or ("--" if line.strip().startswith("# -- ") else "")
            continue
        key = re.match(r"( *)([A-Za-z]\w*):", line)
        if key:
            while stack and stack[-1][0] >= len(key[1]):
                stack.pop()
            stack.append((len(key[1]), key[2]))
            if comment:
                commented.add(tuple(name for _, name in stack))
        comment = ""
    missing = [".".join(path) for path in keys(VALUES)
               if not any(path[:length] in commented for length in range(1, len(path) + 1))]
    assert not missing


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("wrong_type", {"sender": {"replicaCount": "3"}}, "/sender/replicaCount"),
    ("wrong_type_of_a_flag", {"networkPolicy": {"enabled": "yes"}}, "/networkPolicy/enabled"),
    ("unknown_key", {"senders": {"replicaCount": 3}}, "senders"),
    ("unknown_key_below", {"sender": {"replicas": 3}}, "replicas"),
    ("unknown_key_far_below", {"metrics": {"serviceMonitor": {"intervall": "30s"}}}, "intervall"),
    ("unknown_mode", {"mode": "kafka"}, "/mode"),
    ("privileged_port", {"listeners": {"relay": {"containerPort": 25}}}, "/listeners/relay/containerPort"),
    ("broker_without_port", {"mode": "cluster", "kafka": {"brokers": ["kafka"]}}, "/kafka/brokers/0"),
    ("unknown_kind_of_control_data", {"control": {"data": {"tenant": []}}}, "tenant"),
    ("network_of_names", {"listeners": {"relay": {"trustedNetworks": ["pods.example"]}}}, "/listeners/relay/trustedNetworks/0"),
    ("no_grace", {"drain": {"timeoutSeconds": 0}}, "/drain/timeoutSeconds"),
    ("cluster_without_brokers", {"mode": "cluster"}, "kafka.brokers: mode: cluster needs"),
    ("brokers_without_cluster", {"kafka": {"brokers": ["kafka:9092"]}}, "kafka.brokers: mode: single"),
    ("senders_on_one_claim", {**CLUSTER, "sender": {"replicaCount": 2, "persistence": {"existingClaim": "mail"}}},
     "sender.persistence.existingClaim: 2 senders cannot share one claim"),
    ("claim_without_persistence",
     {**CLUSTER, "sender": {"replicaCount": 1, "persistence": {"enabled": False, "existingClaim": "mail"}}},
     "sender.persistence.enabled"),
    ("latest", {"image": {"tag": "latest"}}, "image.tag"),
    ("implicit_tls_without_certificate", {"listeners": {"submissions": {"enabled": True}}}, "listeners.submissions.enabled"),
    ("required_tls_without_certificate", {"listeners": {"submission": {"tlsRequired": True}}},
     "listeners.submission.tlsRequired"),
    ("two_certificates", {"tls": {"existingSecret": "x", "certManager": {"enabled": True}}}, "tls.existingSecret"),
    ("certificate_of_nobody", {"tls": {"certManager": {"enabled": True, "dnsNames": ["x.example"]}}},
     "tls.certManager.issuerRef.name"),
    ("certificate_for_nothing", {"tls": {"certManager": {"enabled": True, "issuerRef": {"name": "x"}}}},
     "tls.certManager.dnsNames"),
    ("capture_on_a_cluster", {**CLUSTER, "listeners": {"capture": {"enabled": True}}}, "listeners.capture.enabled"),
    ("two_listeners_on_a_port", {"listeners": {"submission": {"containerPort": 2525}}}, "listeners.submission.containerPort"),
    ("listener_on_the_port_of_metrics", {"listeners": {"relay": {"containerPort": 8027}}}, "listeners.relay.containerPort"),
    ("no_listener", {"listeners": {"relay": {"enabled": False}, "submission": {"enabled": False}}}, "listeners: none"),
    ("public_service_of_nothing", {"listeners": {"submission": {"enabled": False}}, "publicService": {"enabled": True}},
     "publicService.enabled"),
    ("relay_for_the_world", {"publicService": {"ports": {"relay": 25}}}, "relay"),
    ("return_keys_of_each_pod", {**CLUSTER, "bounce": {"domain": "b.example"}}, "bounce.existingSecret"),
    ("return_path_without_domain", {"bounce": {"returnPath": True}}, "bounce.domain"),
    ("two_control_files", {"control": {"data": {"tenants": []}, "existingSecret": "x"}} | {"control": {
        "data": {"tenants": [{"name": "a"}]}, "existingSecret": "x"}}, "control.data"),
    ("two_autoscalers", {**CLUSTER, "router": {"autoscaling": {"enabled": True}, "keda": {"enabled": True}}},
     "router.keda.enabled"),
    ("autoscaler_upside_down", {"ingress": {"autoscaling": {"minReplicas": 11}}}, "ingress.autoscaling"),
    ("autoscaler_of_nothing", {**CLUSTER, "ingress": {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}},
     "ingress.resources.requests.cpu"),
    ("more_senders_than_partitions", {**CLUSTER, "sender": {"replicaCount": 17}},
     "sender.replicaCount: 17, and kafka.partitions is 16"),
    ("more_in_sync_than_there_are", {"mode": "cluster", "kafka": {"brokers": ["kafka:9092"], "replication": 1}},
     "kafka.minInsyncReplicas: 2"),
    ("token_without_role", {"admin": {"tokens": [{"name": "a", "existingSecret": "a"}]}}, "/admin/tokens/0"),
    ("unknown_role", {"admin": {"tokens": [{"name": "a", "role": "root", "existingSecret": "a"}]}}, "/admin/tokens/0/role"),
    ("certificate_of_nobody", {"admin": {"certificates": [{"role": "admin"}]}}, "/admin/certificates/0"),
    ("certificates_of_no_authority", {"admin": {"existingSecret": "a", "certificates": [{"subject": "CN=a", "role": "admin"}]}},
     "admin.tls.clientCa.existingSecret"),
    ("authority_without_tls", {"admin": {"existingSecret": "a", "tls": {"clientCa": {"existingSecret": "a"}}}},
     "admin.tls.existingSecret"),
    ("tls_of_no_name", {"admin": {"existingSecret": "a", "tls": {"existingSecret": "a"}}}, "admin.tls.serverName"),
    ("nobody_who_drains", {"admin": {"tokens": [{"name": "a", "role": "viewer", "existingSecret": "a"}]}}, "admin.tokens"),
    ("scaling_of_senders", {"sender": {"autoscaling": {"enabled": True}}}, "autoscaling"),
    ("password_in_the_clear", {"mode": "cluster", "kafka": {"brokers": ["kafka:9092"], "sasl": {
        "mechanism": "plain", "username": "x", "existingSecret": "x"}}}, "kafka.tls.enabled"),
    ("sasl_without_secret", {"mode": "cluster", "kafka": {"brokers": ["kafka:9092"], "sasl": {
        "mechanism": "scram-sha-512", "username": "x"}}}, "kafka.sasl.existingSecret"),
    ("sasl_without_user", {"mode": "cluster", "kafka": {"brokers": ["kafka:9092"], "sasl": {
        "mechanism": "scram-sha-512", "existingSecret": "x"}}}, "kafka.sasl.username"),
    ("certificates_without_tls", {"mode": "cluster", "kafka": {"brokers": ["kafka:9092"], "tls": {
        "ca": {"existingSecret": "x"}}}}, "kafka.tls.enabled"),
    ("configuration_that_has_a_value", {"config": {"log": {"kind": "kafka"}}}, "config.log.kind: the value for this is mode"),
    ("listeners_in_the_configuration", {"config": {"ingress": {"smtp": []}}}, "config.ingress.smtp"),
    ("secret_in_the_configuration", {"config": {"admin": {"token": "x"}}}, "config.admin"),
]


@pytest.mark.parametrize(("values", "named"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_by_the_key(refusal: Callable[[dict[str, Any]], str], values: dict[str, Any], named: str) -> None:
    assert named in refusal(values)


def test_latest_with_a_digest_is_that_digest(helm: Helm) -> None:
    done = helm.try_template({"image": {"tag": "latest", "digest": "sha256:" + "0" * 64}})
    assert "image: godwit@sha256:0000" in done.stdout


def test_version_is_that_of_the_executable() -> None:
    version = re.search(r"project\(godwit VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert version
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version[1]
