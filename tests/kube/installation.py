"""A release of the chart on the control plane."""

import json
from pathlib import Path
from typing import Any

from support.chart import CHART, Helm
from support.control_plane import Answer, ControlPlane
from support.waiting import wait_until

VALUES = Path(__file__).parent / "values.yaml"
WAIT_SECONDS = 90


class Installation:
    """In a namespace of its own, which takes restricted pods only. Nodes are named as pods are: rel-godwit-sender-0."""

    def __init__(self, control_plane: ControlPlane, helm: Helm, namespace: str, *options: str) -> None:
        self.plane, self.api, self._helm = control_plane, control_plane.api, helm
        self.namespace = control_plane.make_namespace(namespace)
        self._base = f"/api/v1/namespaces/{namespace}"
        self.sets = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
        self._helm_done("install", "rel", CHART, "-f", VALUES, *options)

    def _helm_done(self, *arguments: str | Path) -> str:
        """Returns when the cluster has what was asked for."""
        done = self._helm.run(*arguments, "--namespace", self.namespace, "--wait", "--timeout", f"{WAIT_SECONDS}s",
                              seconds=WAIT_SECONDS + 30)
        assert done.returncode == 0, (arguments, done.stderr, self.state())
        return done.stdout

    def upgrade(self, *options: str | Path) -> None:
        self._helm_done("upgrade", "rel", CHART, "--reuse-values", *options)

    def rollback(self, revision: int) -> None:
        self._helm_done("rollback", "rel", str(revision))

    def uninstall(self) -> None:
        self._helm_done("uninstall", "rel")

    def revision(self) -> int:
        done = self._helm.run("status", "rel", "--namespace", self.namespace, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return int(found["version"])

    # --- what there is

    def pods(self, component: str) -> dict[str, dict[str, Any]]:
        """Those that are to stay, by name."""
        found = self.api.items(f"{self._base}/pods", f"app.kubernetes.io/component={component}")
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def ready(self, component: str) -> set[str]:
        return {name for name, pod in self.pods(component).items() for condition in pod["status"].get("conditions", [])
                if condition["type"] == "Ready" and condition["status"] == "True"}

    def wait_ready(self, component: str, names: set[str] | int) -> set[str]:
        def there() -> bool:
            ready = self.ready(component)
            return (len(ready) if isinstance(names, int) else ready) == names and len(self.pods(component)) == len(ready)

        wait_until(there, WAIT_SECONDS, lambda: f"ready pods of {component}: {names}; {self.state()}")
        return self.ready(component)

    def claims(self) -> set[str]:
        return {claim["metadata"]["name"] for claim in self.api.items(f"{self._base}/persistentvolumeclaims")}

    def state(self) -> str:
        """For who wonders why something does not come."""
        events = [f"{event['involvedObject']['name']}: {event['message']}" for event in self.api.items(f"{self._base}/events")
                  if event["type"] != "Normal"]
        pods = [f"{pod['metadata']['name']}: {pod['status'].get('phase')}" for pod in self.api.items(f"{self._base}/pods")]
        return "\n".join([*pods, *events[-20:]])

    def may_be_evicted(self, component: str) -> int:
        """How many pods of a role may be away by intention, over those that are."""
        path = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets/rel-godwit-{component}"
        status = self.api.get(path)["status"]
        return int(status["disruptionsAllowed"]) if status["currentHealthy"] == status["expectedPods"] else -1

    # --- what is done to it

    def evict(self, pod: str) -> Answer:
        return self.api.call("POST", f"{self._base}/pods/{pod}/eviction", {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}})

    def scale_senders(self, replicas: int) -> None:
        """As `kubectl scale` does."""
        answer = self.api.call("PATCH", f"{self.sets}/rel-godwit-sender/scale", {"spec": {"replicas": replicas}},
                               "application/merge-patch+json")
        assert answer.status == 200, answer
