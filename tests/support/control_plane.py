"""A control plane of Kubernetes: everything but the machines. scripts/kubernetes builds it; kwok plays the kubelets."""

import contextlib
import http.client
import json
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import yaml

from support.certificates import make_certificate
from support.network import enter_own_network
from support.process import Process
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Of the network that the control plane is alone in: pods' addresses may not be loopback.
ADDRESS = "10.99.0.1"
PORT = 6443
ADMIN = "system:masters"
# Of kwok's pods: who is evicted is away for a while, and who comes is not ready at once.
DELAY_MILLISECONDS = {"pod-ready": 700, "pod-delete": 1500}

Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Object
    warnings: list[str]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class Api:
    """Calls with one token."""

    def __init__(self, authority: Path, token: str) -> None:
        self._authority, self._token = authority, token
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    def as_who_has(self, token: str) -> "Api":
        return Api(self._authority, token)

    def call(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Answer:
        connection = http.client.HTTPSConnection(ADDRESS, PORT, timeout=30,
                                                 context=ssl.create_default_context(cafile=str(self._authority)))
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Authorization": f"Bearer {self._token}", "Content-Type": kind})
            response = connection.getresponse()
            text = response.read()
            found = json.loads(text) if text[:1] == b"{" else {"message": text.decode(errors="replace")}
            return Answer(response.status, found, response.headers.get_all("Warning") or [])

    def get(self, path: str) -> Object:
        answer = self.call("GET", path)
        assert answer.status == 200, (path, answer)
        return answer.body

    def items(self, path: str, selector: str = "") -> list[Object]:
        found: list[Object] = self.get(path + (f"?{urlencode({'labelSelector': selector})}" if selector else ""))["items"]
        return found

    def create(self, path: str, body: Object) -> Object:
        answer = self.call("POST", path, body)
        assert answer.status == 201, (path, answer)
        return answer.body

    def _collection(self, object_: Object, namespace: str) -> str:
        version, kind = object_["apiVersion"], object_["kind"]
        if (version, kind) not in self._paths:
            base = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for resource in self.get(base)["resources"]:
                if "/" not in resource["name"]:
                    self._paths[version, resource["kind"]] = (f"{base}%s/{resource['name']}", resource["namespaced"])
        path, namespaced = self._paths[version, kind]
        return path % (f"/namespaces/{namespace}" if namespaced else "")

    def apply(self, object_: Object, namespace: str, *, dry: bool = False) -> Answer:
        """Server-side apply; no field may be unknown or there twice."""
        name = object_["metadata"]["name"]
        options = {"fieldManager": "test", "force": "true", "fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        return self.call("PATCH", f"{self._collection(object_, namespace)}/{quote(name)}?{urlencode(options)}", object_,
                         "application/apply-patch+yaml")


class ControlPlane:
    """`programs`: the folder of scripts/kubernetes. Needs root; from here on the process is in a network of its own."""

    def __init__(self, programs: Path, directory: Path, nodes: int = 3) -> None:
        enter_own_network([ADDRESS])
        self._programs, self._directory = programs, directory
        self._processes: list[Process] = []
        self._tokens: dict[str, str] = {}
        try:
            self._start(nodes)
        except BaseException:
            self.close()
            raise

    def _run(self, name: str, *options: str) -> Process:
        process = Process(name, [self._programs / name, *options], self._directory)
        self._processes.append(process)
        return process

    def _start(self, nodes: int) -> None:
        self.certificate = make_certificate(self._directory, "kubernetes", ADDRESS)
        account_key = self._directory / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(account_key), "2048"], check=True, capture_output=True)
        users = {"admin": ADMIN, "system:kube-controller-manager": "", "system:kube-scheduler": "", "kwok": ADMIN}
        tokens = self._directory / "tokens.csv"
        tokens.write_text("".join(f'{self._token_of(user)},{user},{user},"{group}"\n' for user, group in users.items()))
        self.api = Api(self.certificate.certificate, self._token_of("admin"))
        self.kubeconfig = self._kubeconfig("admin")

        self._run("etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--log-level=warn")
        self._run("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--bind-address={ADDRESS}", f"--secure-port={PORT}",
                  f"--advertise-address={ADDRESS}", f"--tls-cert-file={self.certificate.certificate}",
                  f"--tls-private-key-file={self.certificate.key}", f"--token-auth-file={tokens}",
                  "--authorization-mode=Node,RBAC", "--service-cluster-ip-range=10.98.0.0/16",
                  "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={account_key}",
                  f"--service-account-signing-key-file={account_key}", f"--cert-dir={self._directory}")
        wait_until(self._answers, 120, lambda: f"an API server that is ready: {self._ends()}")
        self._run("kube-controller-manager", f"--kubeconfig={self._kubeconfig('system:kube-controller-manager')}",
                  "--leader-elect=false", "--use-service-account-credentials",
                  f"--service-account-private-key-file={account_key}", f"--root-ca-file={self.certificate.certificate}",
                  f"--cert-dir={self._directory}")
        self._run("kube-scheduler", f"--kubeconfig={self._kubeconfig('system:kube-scheduler')}", "--leader-elect=false",
                  f"--cert-dir={self._directory}")
        self._run("kwok", f"--kubeconfig={self._kubeconfig('kwok')}", "--manage-all-nodes=true", "--cidr=10.97.0.0/16",
                  "--node-lease-duration-seconds=40", f"--node-ip={ADDRESS}", *[f"--config={stage}" for stage in self._stages()])
        for number in range(nodes):
            self.api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {
                "name": f"node{number}", "labels": {"kubernetes.io/hostname": f"node{number}",
                                                    "topology.kubernetes.io/zone": f"zone{number}"}}})
        wait_until(lambda: self._ready_nodes() == nodes, 60, lambda: f"{nodes} nodes: {self._ends()}")

    def _stages(self) -> list[Path]:
        made = []
        for file in sorted((self._programs / "stages").iterdir()):
            stage = yaml.safe_load(file.read_text())
            if delay := DELAY_MILLISECONDS.get(stage["metadata"]["name"]):
                stage["spec"]["delay"] = {"durationMilliseconds": delay}
            made.append(self._directory / file.name)
            made[-1].write_text(yaml.safe_dump(stage))
        return made

    def _token_of(self, user: str) -> str:
        return self._tokens.setdefault(user, f"t0ken-of-{user.replace(':', '-')}")

    def _kubeconfig(self, user: str) -> Path:
        path = self._directory / f"{user.replace(':', '-')}.kubeconfig"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"https://{ADDRESS}:{PORT}",
                                                    "certificate-authority": str(self.certificate.certificate)}}],
            "users": [{"name": user, "user": {"token": self._token_of(user)}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": user}}]}))
        return path

    def _answers(self) -> bool:
        for process in self._processes:
            assert process.status is None, f"{process.name} ended: {self._ends()}"
        try:
            return self.api.call("GET", "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _ready_nodes(self) -> int:
        return sum(condition["type"] == "Ready" and condition["status"] == "True" for node in self.api.items("/api/v1/nodes")
                   for condition in node.get("status", {}).get("conditions", []))

    def _ends(self) -> str:
        return "\n".join(f"{process.name}: {process.errors()[-1500:]}" for process in self._processes)

    # --- what tests need in it

    def make_namespace(self, name: str, security: str = "restricted") -> str:
        """Pods in it have to be of that level of PodSecurity."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": {
            f"pod-security.kubernetes.io/{mode}": security for mode in ("enforce", "warn")}}})
        return name

    def make_volumes(self, count: int, size: str = "20Gi") -> None:
        """For claims of the default storage class, which makes none."""
        self.api.create("/apis/storage.k8s.io/v1/storageclasses", {
            "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner"})
        for number in range(count):
            self.api.create("/api/v1/persistentvolumes", {"metadata": {"name": f"volume{number}"}, "spec": {
                "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": f"/volumes/{number}"}}})

    def define_others(self) -> None:
        """The kinds of cert-manager, KEDA and the Prometheus operator, whose servers are not here."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for file in sorted((self._programs / "definitions").iterdir()):
            self.api.create(path, yaml.safe_load(file.read_text()))

        def established() -> bool:
            return all(any(condition["type"] == "Established" and condition["status"] == "True"
                           for condition in one.get("status", {}).get("conditions") or []) for one in self.api.items(path))

        wait_until(established, 60, "the kinds of others")

    def token_of_account(self, namespace: str, name: str) -> str:
        """As the kubelet mounts it into pods of that ServiceAccount."""
        answer = self.api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
                                 {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
        return str(answer["status"]["token"])

    def close(self) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(AssertionError):
                process.terminate()
            process.clean_up()
        shutil.rmtree(self._directory / "etcd", ignore_errors=True)


def installed_programs() -> Path:
    done = subprocess.run([str(ROOT / "scripts/kubernetes")], capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
