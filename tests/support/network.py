"""A network of a test's own."""

import ctypes
import os
import subprocess
from pathlib import Path

from support.process import Process
from support.waiting import wait_until


CLONE_NEWNET = 0x40000000


def enter_own_network(addresses: list[str]) -> None:
    """From now on this process, and what it starts, is in a network namespace of its own, with these IPv4 addresses on
    its loopback device. To be called before there are other threads. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)


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
