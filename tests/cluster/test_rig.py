"""The rig itself, without a cluster: what it breaks when, how it judges, and that it leaves nothing behind."""

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cluster import chaos
from cluster.rig import ChaosRig, Fault, rightly_bounced, schedule
from cluster.surroundings import CLOSED, SINK, FullDisk, Names, Roads
from support.disk import SmallDisk
from support.kafka import Brokers
from support.proxy import Proxy, owner_of

SEED = 20261122

# A sink, ingresses that are ready, and routers that are not. Each says who it is.
PRETENDER = """#!/bin/sh
echo $$ >> PIDS
case "$*" in
  *sink*) echo '{"listening": "127.0.0.1:9"}' ;;
  *ingress*) echo 'ready' ;;
  *) echo 'no router today' >&2; exit 3 ;;
esac
exec sleep 600
"""


class NoBrokers(Brokers):
    proxies: tuple[Proxy, ...] = ()


def runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_was_started_before_an_error_is_ended(tmp_path: Path) -> None:
    pids, pretender = tmp_path / "pids", tmp_path / "pretender"
    pretender.write_text(PRETENDER.replace("PIDS", str(pids)))
    pretender.chmod(0o755)
    with pytest.raises(AssertionError, match="no router today"):
        ChaosRig(pretender, tmp_path / "rig", NoBrokers("127.0.0.1:9", 3), print)  # type: ignore[arg-type]
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) >= 4, "a sink, two ingresses and routers"
    assert [process_id for process_id in started if runs(process_id)] == []


def test_told_to_end_it_ends_what_it_started(tmp_path: Path) -> None:
    """SIGTERM, as `timeout` sends it, is an error like any other."""
    program = ("import contextlib, subprocess, sys, time\n"
               f"sys.path.insert(0, {str(Path(chaos.__file__).parents[1])!r})\n"
               "from cluster import chaos\n"
               "with chaos.ended_in_order(), contextlib.ExitStack() as stack:\n"
               "    child = subprocess.Popen(['sleep', '600'])\n"
               "    stack.callback(child.wait)\n"
               "    stack.callback(child.kill)\n"
               "    print(child.pid, flush=True)\n"
               "    time.sleep(600)\n")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.terminate()
        assert parent.wait(60) == 143
    assert not runs(child)


AROUND = {"network0": Roads.kinds, "link01": Roads.kinds, "dns": Names.kinds, "disk-sender1": FullDisk.kinds}


def test_a_seed_is_a_schedule() -> None:
    assert schedule(SEED, 45) == schedule(SEED, 45) != schedule(SEED + 1, 45)
    targets = {fault.target.rstrip("0123456789") for fault in schedule(SEED, 600)}
    assert targets == {"ingress", "router", "sender", "bouncer", "broker"}


def test_everything_that_can_be_broken_is() -> None:
    faults = schedule(SEED, 600, around=AROUND)
    assert {(fault.target, fault.kind) for fault in faults if fault.target in AROUND} == {
        (target, kind) for target, kinds in AROUND.items() for kind in kinds}
    of_brokers = [fault for fault in faults if fault.target.startswith(("broker", "network", "link"))]
    assert len(of_brokers) > 10
    for one, other in itertools.pairwise(of_brokers):
        assert other.at >= one.at + one.seconds + 15, "a broker is in sync again before the next is away"


@pytest.mark.parametrize(("at", "enhanced", "rightly"), [
    (105, "5.1.2", True),  # there is no such domain
    (105, "5.4.4", True),  # no MX host exists
    (112, "5.1.2", True),  # it was asked for just before the end
    (99, "5.1.2", False),
    (117, "5.1.2", False),
    (105, "5.1.1", False),  # what a host says of its own
    (135, "5.1.2", False),  # SERVFAIL is no reason to give anything up
])
def test_who_is_bounced_is_lost_unless_the_dns_denied_its_domain(at: float, enhanced: str, rightly: bool) -> None:
    faults = [Fault(0, "deny", "dns", 10, began=100, ended=110), Fault(0, "fail", "dns", 10, began=130, ended=140),
              Fault(0, "kill", "sender1", 50, began=90, ended=150)]
    bounce = {"recipient": "a@d.test", "time": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
              "reply": {"code": 0, "enhanced": enhanced}}
    assert rightly_bounced([bounce], faults) == ({"a@d.test"} if rightly else set())


@pytest.mark.parametrize(("mood", "question", "says"), [
    ("well", ["d1.test", "MX"], "10 mx.d1.test."),
    ("well", ["mx.d1.test", "A"], SINK),
    ("well", ["mx.d1.test", "AAAA"], "NOERROR"),
    ("well", ["d1.example", "MX"], "NXDOMAIN"),
    ("fail", ["d1.test", "MX"], "SERVFAIL"),
    ("deny", ["d1.test", "MX"], "NXDOMAIN"),
    ("mislead", ["d1.test", "MX", "+tcp"], "10 elsewhere.d1.test."),
    ("mislead", ["elsewhere.d1.test", "A"], CLOSED),
])
def test_names(own: Callable[[Any], Any], mood: str, question: list[str], says: str) -> None:
    names = Names()
    server = own(names.server)
    if mood != "well":
        names.break_it(mood)
    command = ["kdig", "@127.0.0.1", "-p", str(server.port), "+timeout=10", *question]
    assert says in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names.mend()
    command = ["kdig", "@127.0.0.1", "-p", str(server.port), "+timeout=10", "d1.test", "MX"]
    assert "mx.d1.test." in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", FullDisk.kinds)
def test_a_full_disk_has_no_room_for_an_octet(own: Callable[[Any], Any], tmp_path: Path, kind: str) -> None:
    disk = own(SmallDisk(tmp_path / "disk", 8))
    killed: list[str] = []
    fault = FullDisk(disk, lambda: killed.append("its process"))
    fault.break_it(kind)
    assert killed == (["its process"] if kind == "fill-and-kill" else [])
    with pytest.raises(OSError, match="No space"):
        (disk.directory / "file").write_bytes(b"x" * 4096)
    fault.mend()
    (disk.directory / "file").write_bytes(b"x" * 4096)
    assert disk.free_mebibytes() >= 7


def test_what_comes_from_one_origin_can_be_cut(own: Callable[[Any], Any]) -> None:
    """As between two brokers: each has a socket, and a proxy knows by it whose a connection is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = subprocess.Popen([sys.executable, "-c", "import socket, sys\n"
                                  "road = socket.create_connection(('127.0.0.1', int(sys.stdin.readline())))\n"
                                  "road.sendall(b'from the child')\nsys.stdin.read()\n"],
                                 stdin=subprocess.PIPE, text=True)
        own_and_child = [os.getpid(), child.pid]
        proxy = own(Proxy(server.getsockname()[1], lambda port: owner_of(port, own_and_child)))
        proxy.cut(child.pid)
        try:
            assert child.stdin
            child.stdin.write(f"{proxy.port}\n")
            child.stdin.flush()
            with socket.create_connection(("127.0.0.1", proxy.port)) as mine:
                mine.sendall(b"from the test")
                taken, _ = server.accept()
                with taken:
                    assert taken.recv(100) == b"from the test", "whoever is not cut gets through"
            server.settimeout(0.5)
            with pytest.raises(TimeoutError):
                server.accept()
            server.settimeout(60)
            proxy.mend(child.pid)
            taken, _ = server.accept()
            with taken:
                assert taken.recv(100) == b"from the child", "and nothing is lost"
        finally:
            child.kill()
            child.wait()
