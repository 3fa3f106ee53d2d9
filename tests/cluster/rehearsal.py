"""An upgrade and a change of size, rehearsed on processes: every role restarts, node by node, then senders go from 2 to 5
and to 3, and mail comes in and goes out all the while. Nobody may notice but clients whose session is ended by 421, and
`godwit audit` has to be clean. docs/operations/upgrade.md shows a run.

    .venv/bin/python tests/cluster/rehearsal.py --godwit build/release/bin/godwit --out rehearsal.json
"""

import argparse
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cluster.chaos import commit, ended_in_order  # noqa: E402
from cluster.figures import Place, Result, finish, say  # noqa: E402
from cluster.rig import ChaosRig, SteadyLoad  # noqa: E402
from support.waiting import wait_until  # noqa: E402

# Of the sender's, which is far longer than anything here has to wait.
OWNED_SECONDS = 60


class Rehearsal:
    """Steps under one load, each with how long it took and the longest time that nothing was acknowledged in it."""

    def __init__(self, rig: ChaosRig, load: SteadyLoad) -> None:
        self._rig, self._load = rig, load
        self.steps: list[Result] = []
        self.statuses: list[int] = []

    def step(self, what: str, do: Callable[[], None]) -> None:
        began = time.time()
        do()
        ended = time.time()
        # With the edges: a pause that reaches from before the step into it, or to its end, is one, too.
        times = [began, *sorted(at for at in list(self._load.acknowledged.values()) if began <= at < ended), ended]
        pause = max(later - earlier for earlier, later in itertools.pairwise(times))
        self.steps.append({"step": what, "seconds": round(ended - began, 1), "acknowledged": len(times) - 2,
                           "longest_pause": round(pause, 2)})
        say(f"{what:<32} {ended - began:5.1f} s  {len(times) - 2:5d} acknowledged, longest pause {pause:.2f} s")

    def calm(self) -> None:
        self._rig.play([], 3)

    def restart(self, role: str) -> None:
        """One after the other, the next when the one before is ready, as a StatefulSet and a Deployment do."""
        for name, node in self._rig.nodes.items():
            if name.startswith(role):
                self.statuses.append(node.terminate())
                node.start()

    def grow(self, count: int) -> None:
        """To so many senders, all at once, each with partitions at the end."""
        joined = []
        while sum(name.startswith("sender") for name in self._rig.nodes) < count:
            joined.append(self._rig.join("sender"))
        for node in joined:
            node.wait_until_ready()
        wait_until(lambda: all(node.metric("godwit_kafka_partitions_owned") for node in joined), OWNED_SECONDS,
                   f"partitions of {len(joined)} more senders")

    def shrink(self, count: int) -> None:
        """The last ones leave, all at once, as `godwit prestop` has them."""
        senders = [name for name in self._rig.nodes if name.startswith("sender")]
        with ThreadPoolExecutor() as pool:
            self.statuses += pool.map(self._rig.leave, senders[count:])


def rehearse(place: Place, arguments: argparse.Namespace) -> Result:
    rig = place.rig()
    load = SteadyLoad(rig.ports, arguments.rate)
    rehearsal = Rehearsal(rig, load)
    rehearsal.step("calm", rehearsal.calm)
    for role in ("ingress", "router", "sender", "bouncer"):
        rehearsal.step(f"restart of each {role}", lambda role=role: rehearsal.restart(role))  # type: ignore[misc]
    rehearsal.step("2 senders become 5", lambda: rehearsal.grow(5))
    rehearsal.step("calm with 5", rehearsal.calm)
    rehearsal.step("5 senders become 3", lambda: rehearsal.shrink(3))
    rehearsal.step("calm with 3", rehearsal.calm)
    result = {"steps": rehearsal.steps, **finish(rig, load, [], copies_max=0)}
    if any(rehearsal.statuses):
        result["complaints"].append(f"exit statuses {rehearsal.statuses}")
    if set(result["refused"]) - {"421"} or result["unanswered"]:
        result["complaints"].append(f"clients were told {result['refused']}, {result['unanswered']} had no answer")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    parser.add_argument("--godwit", type=Path, default=ROOT / "build/test/bin/godwit")
    parser.add_argument("--out", type=Path, help="the result as JSON")
    parser.add_argument("--directory", type=Path, help="is kept; by default a temporary one")
    arguments = parser.parse_args()
    with ended_in_order(), contextlib.ExitStack() as stack:
        result = rehearse(Place(arguments, stack), arguments)
    text = json.dumps({"commit": commit(), **result}, indent=1)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    say(json.dumps({key: value for key, value in result.items() if key != "steps"}))
    return 1 if result["complaints"] else 0


if __name__ == "__main__":
    sys.exit(main())
