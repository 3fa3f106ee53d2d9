"""What is rendered: objects as the API server takes them, pods that PodSecurity `restricted` takes, selectors that
select, and as little access as will do."""

import re
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from support.chart import CHART, NAMESPACE, ROOT, VALUE_SETS, Helm, Object, Pod, Release

OF_OTHERS = {"Certificate", "ScaledObject", "ServiceMonitor", "PrometheusRule"}
ON_THE_NODES_NETWORK = {"example-egress-host-network", "single-existing"}


@pytest.mark.parametrize("name", VALUE_SETS)
def test_lint(helm: Helm, name: str) -> None:
    values = VALUE_SETS[name]
    done = helm.run("lint", CHART, "--strict", *(["-f", values] if values else []))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_field_is_one_of_its_kind(helm: Helm, release: Release) -> None:
    done = helm.read_strictly(release.text)
    assert done.returncode == 0, done.stderr
    unknown = set(re.findall(r'no kind "(\w+)"', done.stdout))
    assert unknown == {found["kind"] for found in release.objects} & OF_OTHERS


def test_reads_strictly(helm: Helm) -> None:
    """The test above sees what is wrong."""
    wrong = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {port: 25}\n"
    assert 'unknown field "spec.port"' in helm.read_strictly(wrong).stderr
    assert helm.read_strictly("apiVersion: v1\nkind: Service\nspec: {ports: 25}\n").returncode == 1
    assert "already set" in helm.read_strictly("apiVersion: v1\nkind: Pod\nkind: Pod\n").stderr


def not_restricted(pod: Pod) -> list[str]:
    """Why PodSecurity `restricted` would refuse the pod; what it does not ask for and the chart promises, too."""
    spec, problems = pod.spec, []
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        problems.append("a namespace of the host")
    of_pod = spec.get("securityContext", {})
    if of_pod.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        problems.append("no seccomp profile")
    if of_pod.get("runAsNonRoot") is not True or of_pod.get("runAsUser", 0) == 0:
        problems.append("root")
    volumes = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
    if volumes - {"configMap", "emptyDir", "projected", "secret", "downwardAPI", "persistentVolumeClaim"}:
        problems.append(f"volumes {volumes}")
    for container in spec["containers"] + spec.get("initContainers", []):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            problems.append("privileges")
        if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
            problems.append("capabilities")
        if context.get("readOnlyRootFilesystem") is not True:
            problems.append("a root file system to write to")
        if any(port.get("hostPort") or port["containerPort"] <= 1024 for port in container.get("ports", [])):
            problems.append("a port of the host, or a privileged one")
    return problems


def test_pods_are_restricted(request: pytest.FixtureRequest, release: Release) -> None:
    name = request.node.callspec.params["release"]
    expected = ["a namespace of the host"] if name in ON_THE_NODES_NETWORK else []
    found = {problem for pod in release.pods() for problem in not_restricted(pod)}
    assert found == set(expected)


def test_images_have_a_version(release: Release) -> None:
    images = [pod.container["image"] for pod in release.pods()]
    assert images
    for image in images:
        assert re.search(r":\d[\w.-]*$|@sha256:[0-9a-f]{64}$", image), image


def test_objects_are_in_the_namespace_and_named_once(release: Release) -> None:
    names = [(found["kind"], found["metadata"]["namespace"], found["metadata"]["name"]) for found in release.objects]
    assert len(set(names)) == len(names)
    assert {namespace for _, namespace, _ in names} <= {NAMESPACE, "monitoring"}
    assert all(len(name) <= 52 for _, _, name in names)  # a pod's name has 10 more


def selected(release: Release, selector: Object) -> list[Pod]:
    assert selector
    return [pod for pod in release.pods() if selector.items() <= pod.metadata["labels"].items()]


def selectors(release: Release) -> list[tuple[Object, Object]]:
    """Each object that selects pods, with its selector."""
    found = []
    for one in release.objects:
        spec = one.get("spec", {})
        if one["kind"] == "Service":
            found.append((one, spec["selector"]))
        elif one["kind"] == "NetworkPolicy":
            found.append((one, spec["podSelector"]["matchLabels"]))
        elif one["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            found.append((one, spec["selector"]["matchLabels"]))
    return found


def test_selectors_select_the_pods_of_one_component(release: Release) -> None:
    for one, selector in selectors(release):
        pods = selected(release, selector)
        assert len(pods) == 1, one["metadata"]["name"]
        if one["kind"] in ("Deployment", "StatefulSet"):
            assert pods[0].owner is one
        elif "app.kubernetes.io/component" in one["metadata"]["labels"]:
            assert pods[0].component == one["metadata"]["labels"]["app.kubernetes.io/component"]


def test_pods_are_spread_by_their_own_labels(release: Release) -> None:
    for pod in release.workloads():
        for spread in pod.spec.get("topologySpreadConstraints", []):
            assert pod in selected(release, spread["labelSelector"]["matchLabels"])


def test_services_lead_to_ports_of_their_pods(release: Release) -> None:
    for service in release.of("Service"):
        (pod,) = selected(release, service["spec"]["selector"])
        ports = {port["name"] for port in pod.container["ports"]}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports, service["metadata"]["name"]
    for policy in release.of("NetworkPolicy"):
        (pod,) = selected(release, policy["spec"]["podSelector"]["matchLabels"])
        named = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        assert named <= {port["name"] for port in pod.container["ports"]}


def test_each_role_is_there(release: Release) -> None:
    by_kind = {pod.component: (pod.owner["kind"], pod.container["command"][4]) for pod in release.workloads()}
    assert by_kind in ({"single": ("StatefulSet", "--roles=all")},
                       {"ingress": ("Deployment", "--roles=ingress"), "router": ("Deployment", "--roles=router"),
                        "bouncer": ("Deployment", "--roles=bouncer"), "sender": ("StatefulSet", "--roles=sender")})


def test_relay_is_never_public(release: Release) -> None:
    for service in release.of("Service"):
        if service["spec"]["type"] != "ClusterIP":
            assert {port["name"] for port in service["spec"]["ports"]} <= {"submission", "submissions", "inbound"}


def test_standard_ports(rendered: dict[str, Release]) -> None:
    everything = rendered["cluster-everything"]

    def ports(name: str) -> dict[str, int]:
        service = everything.named("Service", name)
        assert service
        return {port["name"]: port["port"] for port in service["spec"]["ports"]}

    assert ports("rel-mail") == {"relay": 25, "submission": 587, "submissions": 465}
    assert ports("rel-mail-public") == {"inbound": 25, "submission": 587, "submissions": 465}


def test_only_senders_may_ask_the_api_and_only_for_their_set(release: Release) -> None:
    for pod in release.pods():
        assert pod.spec["automountServiceAccountToken"] == (pod.component == "sender")
    sets = {found["metadata"]["name"] for found in release.of("StatefulSet")}
    for role in release.of("Role"):
        (rule,) = role["rules"]
        assert rule["verbs"] == ["get"]
        assert rule["resources"] == ["statefulsets"]
        assert set(rule["resourceNames"]) == sets
    for binding in release.of("RoleBinding"):
        (subject,) = binding["subjects"]
        assert subject["name"] == release.workload("sender").spec["serviceAccountName"]
        assert release.named("Role", binding["roleRef"]["name"])
    assert not release.of("ClusterRole")


def test_accounts_of_pods_are_there(release: Release, request: pytest.FixtureRequest) -> None:
    made = {found["metadata"]["name"] for found in release.of("ServiceAccount")}
    used = {pod.spec["serviceAccountName"] for pod in release.pods()}
    assert made in (used, set())


def test_senders_are_scaled_by_nobody(release: Release) -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"]["scaleTargetRef"]["kind"]
              for kind in ("HorizontalPodAutoscaler", "ScaledObject") for one in release.of(kind)}
    for name, kind in scaled.items():
        assert kind == "Deployment"
        target = release.named("Deployment", name)
        assert target and "replicas" not in target["spec"], "the chart would undo what was scaled"


def test_lag_is_that_of_the_routers_group(rendered: dict[str, Release]) -> None:
    (scaled,) = rendered["cluster-everything"].of("ScaledObject")
    metadata = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
    assert {found["topic"] for found in metadata} == {"mail.accepted", "mail.accepted.urgent"}
    assert {found["consumerGroup"] for found in metadata} == {"mail.router"}


def test_policies_let_out_what_pods_need(rendered: dict[str, Release]) -> None:
    everything = rendered["cluster-everything"]

    def ports(component: str) -> set[int]:
        policy = everything.named("NetworkPolicy", f"rel-mail-{component}")
        assert policy
        return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}

    brokers_and_names = {53, 9094, 9095, 8080}
    assert ports("ingress") == ports("router") == ports("bouncer") == brokers_and_names
    assert ports("sender") == brokers_and_names | {25, 443, 6443}


def test_monitor_selects_each_component_once(rendered: dict[str, Release]) -> None:
    for name in ("cluster-everything", "example-single"):
        release = rendered[name]
        (monitor,) = release.of("ServiceMonitor")
        labels = monitor["spec"]["selector"]["matchLabels"]
        services = [service for service in release.of("Service")
                    if labels.items() <= service["metadata"]["labels"].items()]
        assert len(services) == len(release.workloads())
        assert all("observe" in {port["name"] for port in service["spec"]["ports"]} for service in services)


def test_claims(rendered: dict[str, Release]) -> None:
    def data(name: str, component: str) -> tuple[bool, Object | None]:
        pod = rendered[name].workload(component)
        volume = next((found for found in pod.spec["volumes"] if found["name"] == "data"), None)
        return "volumeClaimTemplates" in pod.owner["spec"], volume

    assert data("default", "single") == (True, None)
    assert data("cluster-everything", "sender") == (True, None)
    assert data("cluster-everything", "router") == (False, {"name": "data", "emptyDir": {}})
    assert data("single-existing", "single") == (
        False, {"name": "data", "persistentVolumeClaim": {"claimName": "mail"}})
    assert data("senders-without-disk", "sender") == (False, {"name": "data", "emptyDir": {}})


def test_pods_follow_the_configuration_and_not_the_chart(helm: Helm, tmp_path: Path) -> None:
    def checksums(chart: Path, *options: str) -> list[Object]:
        done = helm.run("template", "rel", chart, *options)
        assert done.returncode == 0, done.stderr
        return [found["spec"]["template"] for found in yaml.safe_load_all(done.stdout)
                if found and found["kind"] in ("Deployment", "StatefulSet")]

    assert checksums(CHART) != checksums(CHART, "--set", "config.dns.timeout=5s")
    tenant = "control.data.tenants[0].name=a"
    assert checksums(CHART, "--set", tenant) != checksums(CHART, "--set", tenant + "b"), "file: a restart brings it into effect"
    cluster = ["--set", "mode=cluster,kafka.brokers={kafka:9092}", "--set"]
    assert checksums(CHART, *cluster, tenant) == checksums(CHART, *cluster, tenant + "b"), "seed: nothing would follow from it"
    newer = tmp_path / "godwit"
    shutil.copytree(CHART, newer)
    file = newer / "Chart.yaml"
    file.write_text(re.sub(r"^version: .*$", "version: 99.0.0", file.read_text(), flags=re.MULTILINE))
    assert checksums(CHART) == checksums(newer)


@pytest.mark.parametrize("name", ["default", "example-strimzi", "single-existing"])
def test_notes_name_what_is_there(helm: Helm, rendered: dict[str, Release], name: str, tmp_path: Path) -> None:
    notes = helm.notes(VALUE_SETS[name], tmp_path)
    for kind, workload in re.findall(r"exec (deployment|statefulset)/(\S+)", notes):
        assert rendered[name].named({"deployment": "Deployment", "statefulset": "StatefulSet"}[kind], workload)
    assert "ctl nodes -c /etc/godwit/config/godwit.yaml" in notes
    assert ("There is no certificate" in notes) == (name == "default")


def test_files_are_those_of_the_deploy_folder(helm: Helm, tmp_path: Path) -> None:
    """There is one copy of alerts and dashboards; a package has what the templates load of them, and nothing else."""
    assert (CHART / "files/alerts").resolve() == ROOT / "deploy/prometheus"
    assert (CHART / "files/dashboards").resolve() == ROOT / "deploy/grafana"
    done = helm.run("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as package:
        packed = {name for name in package.getnames() if "/files/" in name}
    assert packed == ({f"godwit/files/alerts/{file.name}" for file in (ROOT / "deploy/prometheus").glob("*.yaml")} |
                      {f"godwit/files/dashboards/{file.name}" for file in (ROOT / "deploy/grafana").glob("*.json")})


def test_files_become_rules_and_dashboards(helm: Helm, tmp_path: Path) -> None:
    """Braces of Prometheus and Grafana are not Helm's."""
    chart = tmp_path / "godwit"
    shutil.copytree(CHART, chart)
    rules = {"groups": [{"name": "godwit", "rules": [{"alert": "A", "expr": "up == 0", "annotations": {
        "summary": "{{ $labels.pod }} is down"}}]}]}
    for name, text in (("alerts/some.yaml", yaml.safe_dump(rules)), ("dashboards/some.json", '{"legend": "{{pod}}"}\n')):
        (chart / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / "files" / name).write_text(text)
    done = helm.run("template", "rel", chart, "--set", "metrics.prometheusRule.enabled=true,metrics.dashboards.enabled=true")
    assert done.returncode == 0, done.stderr
    objects = {found["metadata"]["name"]: found for found in yaml.safe_load_all(done.stdout) if found}
    assert objects["rel-godwit-some"]["spec"] == rules
    dashboard = objects["rel-godwit-dashboard-some"]
    assert dashboard["data"] == {"some.json": '{"legend": "{{pod}}"}\n'}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
