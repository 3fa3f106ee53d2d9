"""A long run of chaos: make chaos, or

    .venv/bin/python tests/cluster/chaos.py --seed 7 --minutes 10 --out reliability.json

Prints each fault and writes what the run came to. The exit status is 0 only if nothing was lost, nothing was counted
twice, no copy is without a fault that explains it, and no process crashed.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cluster.rig import CALM_SECONDS, SMALL_DISKS, ChaosRig, Outcome  # noqa: E402
from cluster.surroundings import CLOSED, SINK  # noqa: E402
from support.kafka import KafkaCluster, jars  # noqa: E402
from support.network import enter_own_network  # noqa: E402

RATE = 100.0
RECOVERED = 0.9
# A wait is no complaint below this, however short it was before.
PROMPT_SECONDS = 2.0


def complaints(outcome: Outcome) -> list[str]:
    """Why the run is no success."""
    found = []
    if outcome.lost:
        found.append(f"{len(outcome.lost)} acknowledged recipients never arrived: {outcome.lost[:10]}")
    if not outcome.audit.get("clean"):
        found.append(f"the audit is not clean: {outcome.audit}")
    if outcome.unexplained:
        found.append(f"{len(outcome.unexplained)} copies that no fault explains: {outcome.unexplained[:10]}")
    if outcome.dead:
        found.append(f"{outcome.dead} recipients in dead")
    if outcome.before:
        before, after = outcome.before, outcome.after
        if after["delivered_per_second"] < RECOVERED * before["delivered_per_second"] or \
                not 0 <= after["waited_p95"] <= max(before["waited_p95"] / RECOVERED, PROMPT_SECONDS):
            found.append(f"not as before a minute after the last fault: {before}, then {after}")
    return found + outcome.crashes


def commit() -> str:
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip()


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Who is told to end (SIGTERM, as of `timeout`) ends what it started first."""
    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second")
    parser.add_argument("--calm", type=float, default=CALM_SECONDS,
                        help="seconds before the first fault; with fewer than by default recovery is not judged")
    parser.add_argument("--godwit", type=Path, default=ROOT / "build/test/bin/godwit")
    parser.add_argument("--out", type=Path, default=ROOT / "reliability.json")
    parser.add_argument("--directory", type=Path, help="is kept; by default a temporary one")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    jars()  # may have to be fetched, which is no more possible in a network of its own
    with ended_in_order(), contextlib.ExitStack() as stack:
        directory = arguments.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="godwit-chaos-")))
        everything = os.geteuid() == 0
        if everything:
            enter_own_network([SINK, CLOSED])
        else:
            print("names and disks are left out: they need root", flush=True)
        brokers = KafkaCluster(directory / "brokers", brokers=3, proxied=True, short_lived=False)
        stack.callback(brokers.close)
        brokers.start()
        rig = stack.enter_context(contextlib.closing(
            ChaosRig(arguments.godwit.resolve(), directory / "godwit", brokers, lambda line: print(line, flush=True),
                     names=everything, small_disks=SMALL_DISKS if everything else ())))
        outcome = rig.run(arguments.seed, arguments.minutes * 60, arguments.rate, arguments.calm)
    arguments.out.write_text(json.dumps({"commit": commit(), **outcome.report()}, indent=1) + "\n")
    print(f"{outcome.acknowledged} acknowledged, {len(outcome.lost)} lost, {outcome.misled} misled, {outcome.copies} copies; "
          f"{len(outcome.faults)} faults; all ended {outcome.settled_seconds} s after the load: {arguments.out}")
    for complaint in complaints(outcome):
        print(complaint)
    return 1 if complaints(outcome) else 0


if __name__ == "__main__":
    sys.exit(main())
