"""The chart of deploy/helm/godwit, and what Helm makes of it."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/godwit"
RELEASE = "rel"
NAMESPACE = "mail"

VALUE_SETS: dict[str, Path | None] = {
    "default": None,
    **{f"example-{file.stem}": file for file in sorted((CHART / "examples").glob("*.yaml"))},
    **{file.stem: file for file in sorted((ROOT / "tests/chart/values").glob("*.yaml"))},
}

Object = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod's template, or a pod, and the object it belongs to."""

    owner: Object
    metadata: Object
    spec: Object

    @property
    def component(self) -> str:
        return str(self.metadata["labels"]["app.kubernetes.io/component"])

    @property
    def container(self) -> Object:
        assert len(self.spec["containers"]) == 1
        container: Object = self.spec["containers"][0]
        return container


@dataclass(frozen=True)
class Release:
    """The objects of one rendering."""

    text: str
    objects: list[Object]

    def of(self, kind: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] == kind]

    def named(self, kind: str, name: str) -> Object | None:
        return next((found for found in self.of(kind) if found["metadata"]["name"] == name), None)

    def pods(self) -> Iterator[Pod]:
        for owner in self.objects:
            if owner["kind"] in ("Deployment", "StatefulSet"):
                template = owner["spec"]["template"]
                yield Pod(owner, template["metadata"], template["spec"])
            elif owner["kind"] == "Pod":
                yield Pod(owner, owner["metadata"], owner["spec"])

    def workloads(self) -> list[Pod]:
        """The pods that run Godwit."""
        return [pod for pod in self.pods() if pod.owner["kind"] != "Pod"]

    def workload(self, component: str) -> Pod:
        return next(pod for pod in self.workloads() if pod.component == component)


def lay_out(release: Release, pod: Pod, root: Path, given: Mapping[str, str]) -> None:
    """Writes what a kubelet would mount into the pod below `root`: rendered ConfigMaps and Secrets, and of Secrets that
    are not the chart's what `given` has for the path in the mount (`tls/tls.crt`)."""
    mounts = {mount["name"]: mount["mountPath"] for mount in pod.container["volumeMounts"]}
    for volume in pod.spec["volumes"]:
        where = root / mounts[volume["name"]].lstrip("/")
        if "configMap" in volume:
            found = release.named("ConfigMap", volume["configMap"]["name"])
            assert found, f"ConfigMap {volume['configMap']['name']} is not rendered"
            files = dict(found["data"])
        elif "secret" in volume:
            found = release.named("Secret", volume["secret"]["secretName"])
            files = {item["path"]: found["stringData"][item["key"]] if found else given[f"{volume['name']}/{item['path']}"]
                     for item in volume["secret"]["items"]}
        else:
            files = {}
        where.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (where / name).write_text(text)


class Helm:
    """`kubeconfig`: of the cluster for install, upgrade and the like."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self._folder, self._kubeconfig = folder, kubeconfig
        self._helm = folder / "helm"
        self._manifests = folder / "manifests"

    def of_cluster(self, kubeconfig: Path) -> "Helm":
        return Helm(self._folder, kubeconfig)

    def run(self, *arguments: str | Path, text: str | None = None, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        cluster = ["--kubeconfig", str(self._kubeconfig)] if self._kubeconfig else []
        return subprocess.run([str(self._helm), *map(str, arguments), *cluster], input=text, capture_output=True, text=True,
                              timeout=seconds, check=False)

    def template(self, values: Path | None = None, *options: str) -> Release:
        done = self.run("template", RELEASE, CHART, "--namespace", NAMESPACE, *(["-f", values] if values else []), *options)
        assert done.returncode == 0, done.stderr
        return Release(done.stdout, [found for found in yaml.safe_load_all(done.stdout) if found])

    def try_template(self, values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
        return self.run("template", RELEASE, CHART, "-f", "-", text=json.dumps(values))

    def notes(self, values: Path | None, scratch: Path) -> str:
        """What `helm install` says at its end, which Helm renders for a cluster only: here it is a ConfigMap of a copy."""
        chart = scratch / "godwit"
        shutil.copytree(CHART, chart)
        text = (chart / "templates/NOTES.txt").read_text()
        (chart / "templates/notes.yaml").write_text(
            '{{- define "notes" }}' + text + "{{ end }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
            'data:\n  text: |\n    {{- include "notes" . | nindent 4 }}\n')
        done = self.run("template", RELEASE, chart, "--namespace", NAMESPACE, "--show-only", "templates/notes.yaml",
                        *(["-f", values] if values else []))
        assert done.returncode == 0, done.stderr
        return str(yaml.safe_load(done.stdout)["data"]["text"])

    def read_strictly(self, manifests: str) -> "subprocess.CompletedProcess[str]":
        """tests/support/helm/manifests: what is wrong in them, on standard error."""
        return subprocess.run([str(self._manifests)], input=manifests, capture_output=True, text=True, timeout=60, check=False)


def installed_helm() -> Helm:
    """The one that scripts/deps test installs."""
    done = subprocess.run([str(ROOT / "scripts/helm")], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return Helm(Path(done.stdout.strip()))
