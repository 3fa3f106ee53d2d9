"""The rig itself, without a cluster: what it breaks when, how it judges, and that it leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import chaos
from cluster.rig import ChaosRig
from support.kafka import Brokers

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
        ChaosRig(pretender, tmp_path / "rig", Brokers("127.0.0.1:9", 3), print)  # type: ignore[arg-type]
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
