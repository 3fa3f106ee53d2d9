"""containerd for the tests of the image: one of a test's own, beside any that runs on the machine."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.process import Process
from support.waiting import wait_until


class Container:
    """A container in the network of whoever started containerd. `process` is `ctr run`: it passes signals on, and ends
    as the container does."""

    def __init__(self, containerd: "Containerd", name: str, process: Process) -> None:
        self._containerd, self.name, self.process = containerd, name, process

    def command(self, *command: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        """Another process in it, as `kubectl exec` has it."""
        return self._containerd.ctr("task", "exec", "--exec-id", f"exec-{os.urandom(4).hex()}", self.name, *command,
                                    seconds=seconds)

    def close(self) -> None:
        self._containerd.ctr("task", "rm", "--force", self.name)
        with contextlib.suppress(AssertionError):
            self.process.wait()
        self.process.clean_up()
        self._containerd.ctr("container", "rm", self.name)


class Containerd:
    """Needs root."""

    def __init__(self, directory: Path) -> None:
        assert os.geteuid() == 0, "containers need root"
        for program in ("containerd", "ctr", "runc"):
            assert shutil.which(program), f"{program} is not there: scripts/deps image"
        self._directory = directory
        self._socket = directory / "containerd.sock"
        (directory / "config.toml").write_text(
            f'version = 2\nroot = "{directory}/root"\nstate = "{directory}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
            f'[grpc]\n  address = "{self._socket}"\n')
        self._process = Process("containerd", ["containerd", "--config", directory / "config.toml"], directory)
        try:
            wait_until(lambda: self.ctr("version").returncode == 0, 30, self._process.errors)
        except BaseException:
            self._process.clean_up()
            raise

    def _command(self, *arguments: str | Path) -> list[str]:
        return ["ctr", "--address", str(self._socket), "--namespace", "test", *map(str, arguments)]

    def ctr(self, *arguments: str | Path, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self._command(*arguments), capture_output=True, text=True, timeout=seconds, check=False)

    def load(self, archive: Path) -> str:
        """The name of the image in an OCI archive."""
        done = self.ctr("image", "import", archive, seconds=300)
        assert done.returncode == 0, done.stderr
        (name,) = self.ctr("image", "ls", "-q").stdout.split()
        return name

    def run(self, image: str, name: str, command: Sequence[str], mounts: Mapping[str, Path], scratch: Sequence[str] = (),
            environment: Mapping[str, str] | None = None) -> Container:
        """As the chart's pods are: a read-only root file system, no capability. `mounts` are folders by their place in
        the container, `scratch` places where it may write."""
        options: list[str | Path] = ["--rm", "--net-host", "--read-only", "--seccomp", "--runc-binary", "runc",
                                     "--runc-root", self._directory / "runc"]
        for capability in ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
                           "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"):
            options += ["--cap-drop", f"CAP_{capability}"]
        for place, folder in mounts.items():
            options += ["--mount", f"type=bind,src={folder},dst={place},options=rbind:rw"]
        for place in scratch:
            options += ["--mount", f"type=tmpfs,src=tmpfs,dst={place},options=mode=1777"]
        for key, value in (environment or {}).items():
            options += ["--env", f"{key}={value}"]
        process = Process(name, self._command("run", *options, image, name, *command), self._directory)
        return Container(self, name, process)

    def close(self) -> None:
        self._process.terminate()
        self._process.clean_up()
