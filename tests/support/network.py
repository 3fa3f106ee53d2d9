"""A network of a test's own."""

import os
import subprocess
from pathlib import Path

from support.process import Process
from support.waiting import wait_until


class Network:
    """A network namespace with these addresses on its loopback device, held by a process that sleeps in it.

    Commands run there with `prefix` in front of them. Needs root.
    """

    def __init__(self, directory: Path, addresses: list[str]) -> None:
        assert os.geteuid() == 0, "a network namespace needs root"
        self._holder = Process("netns", ["unshare", "--net", "sleep", "infinity"], directory)
        own_net = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self._holder.pid}/ns/net") != own_net, 10, "a network namespace")
        self.prefix = ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net")
        self.run("ip", "link", "set", "lo", "up")
        for address in addresses:
            length = 128 if ":" in address else 32
            self.run("ip", "address", "add", f"{address}/{length}", "dev", "lo")

    def run(self, *command: str) -> None:
        subprocess.run([*self.prefix, *command], check=True)

    def close(self) -> None:
        self._holder.clean_up()
