"""The chart's single pod, as a kubelet would start it: the image's executable, a read-only root file system, no
capability, the user of the image, the files of ConfigMaps and Secrets."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.chart import CHART, Helm, Pod, Release, installed_helm, lay_out
from support.containerd import Container, Containerd
from support.mail import Client, Conversation, message
from support.waiting import wait_until

NOBODY = 10001
RELAY, OBSERVE = ("127.0.0.1", 2525), ("127.0.0.1", 8027)
CONFIG = "/etc/godwit/config/godwit.yaml"
DEMO = ("ann@demo.example", "bob@example.test")


@pytest.fixture(scope="module")
def release() -> Release:
    helm: Helm = installed_helm()
    return helm.template(CHART / "examples/trial.yaml")


class SinglePod:
    """Containers of one pod after the other, on one volume."""

    def __init__(self, containerd: Containerd, image: str, pod: Pod, root: Path) -> None:
        self._containerd, self._image, self._pod, self._root = containerd, image, pod, root
        self._started = 0
        self.container: Container | None = None

    def start(self) -> Container:
        self._started += 1
        spec = self._pod.container
        command = [word.replace("$(POD_NAME)", "rel-godwit-0") for word in spec["command"]]
        places = [mount["mountPath"] for mount in spec["volumeMounts"]]
        writable = {volume["name"] for volume in self._pod.spec["volumes"] if "emptyDir" in volume}
        scratch = [mount["mountPath"] for mount in spec["volumeMounts"] if mount["name"] in writable]
        mounts = {place: self._root / place.lstrip("/") for place in places if place not in scratch}
        self.container = self._containerd.run(self._image, f"single-{self._started}", command, mounts, scratch,
                                              {"POD_NAME": "rel-godwit-0"})
        self.container.process.wait_for_output("ready", 60)
        return self.container

    def close(self) -> None:
        if self.container:
            self.container.close()


@pytest.fixture
def pod(containerd: Containerd, image: str, release: Release, tmp_path: Path, own: Callable[[Any], Any]) -> SinglePod:
    workload = release.workload("single")
    root = tmp_path / "pod"
    lay_out(release, workload, root, {})
    data = root / "var/lib/godwit"
    data.mkdir(parents=True, exist_ok=True)
    os.chown(data, NOBODY, NOBODY)  # what fsGroup is for
    for folder in (tmp_path, *tmp_path.parents):  # pytest's are closed to others
        if folder == Path("/tmp"):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    single: SinglePod = own(SinglePod(containerd, image, workload, root))
    return single


def ctl(container: Container, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return container.command("godwit", *arguments, "-c", CONFIG)


def test_takes_mail_and_ends_in_order(pod: SinglePod) -> None:
    container = pod.start()
    with Client(RELAY) as client:
        taken = [client.submit(message(f"mail {number}"), *DEMO) for number in range(20)]
    with Conversation(RELAY) as idle:
        assert idle.ask("EHLO client.test").startswith("250")
        container.process.signal(15)
        assert idle.reply().startswith("421 4.3.2"), "who is connected is told"
    assert container.process.wait(60) == 0, container.process.errors()[-2000:]
    container.close()

    # Another container on the same volume has everything.
    container = pod.start()
    def report() -> dict[str, Any] | None:
        done = ctl(container, "audit", "--json")
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found if found.get("delivered") == len(taken) and found["clean"] else None

    wait_until(report, 30, lambda: ctl(container, "audit").stdout)
    assert container.process.terminate(60) == 0


def test_can_do_no_more_than_it_has_to(pod: SinglePod) -> None:
    container = pod.start()
    status = container.command("cat", "/proc/1/status").stdout
    assert re.search(rf"^Uid:\s+{NOBODY}\s+{NOBODY}\s+{NOBODY}\s+{NOBODY}$", status, re.MULTILINE), status
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), status
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), status
    for place in ("/usr/local/bin/godwit", "/etc/godwit/new", "/new"):
        done = container.command("bash", "-c", f": >>{place}")
        assert done.returncode != 0 and re.search("Read-only|Permission", done.stderr), (place, done)


def test_large_audits_have_room(pod: SinglePod) -> None:
    """What does not fit in memory goes to a file in the folder for temporary ones."""
    container = pod.start()
    assert container.command("bash", "-c", ": >${TMPDIR:-/tmp}/x").returncode == 0


def test_helm_test_finds_its_programs(pod: SinglePod, release: Release) -> None:
    container = pod.start()
    (test,) = [one for one in release.pods() if one.component == "test"]
    *command, script = [*test.container["command"], *test.container["args"]]
    for service, address in (("rel-godwit-pods", "127.0.0.1"), ("rel-godwit 25", "127.0.0.1 2525"),
                             ("rel-godwit 587", "127.0.0.1 2587")):
        assert service in script
        script = script.replace(service, address)
    done = container.command(*command, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" 220 ") == 2
