"""One promise each, measured: a command, a result as JSON. docs/reliability.md has the whole sizes and what came of them.

    .venv/bin/python tests/cluster/figures.py rolling --times 3 --out rolling.json
"""

import argparse
import contextlib
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cluster.chaos import commit, complaints, ended_in_order  # noqa: E402
from cluster.rig import NODES, ChaosRig, Fault, Outcome, SteadyLoad  # noqa: E402
from support.bench import BenchSink  # noqa: E402
from support.godwit import Godwit  # noqa: E402
from support.kafka import KafkaCluster  # noqa: E402
from support.waiting import wait_until  # noqa: E402

LATER = '{stage: rcpt, reply: "450 4.2.0 not now"}'
DOUBLED_MAX = 0.001

Result = dict[str, Any]


def say(line: str) -> None:
    print(line, flush=True)


def resident_mib(process_id: int) -> int:
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


class Place:
    """A directory with three brokers, and what runs on them."""

    def __init__(self, arguments: argparse.Namespace, stack: contextlib.ExitStack) -> None:
        self.executable: Path = arguments.godwit.resolve()
        self.directory = arguments.directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="godwit-figures-")))
        self._stack = stack

    def brokers(self) -> KafkaCluster:
        cluster = KafkaCluster(self.directory / "brokers", brokers=3, short_lived=False)
        self._stack.callback(cluster.close)
        return cluster.start()

    def rig(self, **how: Any) -> ChaosRig:
        self.cluster = self.brokers()
        return self._stack.enter_context(contextlib.closing(
            ChaosRig(self.executable, self.directory / "godwit", self.cluster, say, **how)))


def judged(outcome: Outcome, load: SteadyLoad, copies_max: float) -> Result:
    """What all runs under load are judged by."""
    found = complaints(outcome)
    if outcome.copies > copies_max * outcome.acknowledged:
        found.append(f"{outcome.copies} copies of {outcome.acknowledged}, more than {copies_max:.1%}")
    return {"acknowledged": outcome.acknowledged, "lost": len(outcome.lost), "copies": outcome.copies,
            "refused": outcome.refused, "unanswered": load.unanswered, "audit_clean": outcome.audit.get("clean"),
            "settled_seconds": outcome.settled_seconds, "complaints": found}


def finish(rig: ChaosRig, load: SteadyLoad, faults: list[Fault], copies_max: float) -> Result:
    load.stop()
    outcome = Outcome(0, 0, faults)
    rig.account(outcome, load)
    return judged(outcome, load, copies_max)


# --- one function each ---


def kills(place: Place, arguments: argparse.Namespace) -> Result:
    """SIGKILL of processes of all roles, one after the other, until there were enough of them and of messages."""
    rig = place.rig()
    load = SteadyLoad(rig.ports, arguments.rate, clients=16)
    dice = random.Random(arguments.seed)
    done: list[Fault] = []
    while len(done) < arguments.times or len(load.acknowledged) < arguments.messages:
        pause = max(1.0, (arguments.messages - len(load.acknowledged)) / arguments.rate /
                    max(1, arguments.times - len(done)))
        faults = [Fault(0, "kill", dice.choice(list(rig.nodes)), dice.uniform(0.2, 2))] if len(done) < arguments.times else []
        rig.play(faults, min(pause, 10))
        done += faults
    return {"kills": len(done), **finish(rig, load, done, DOUBLED_MAX)}


def brokers(place: Place, arguments: argparse.Namespace) -> Result:
    """One of three brokers killed and brought back, again and again; then two at once."""
    rig = place.rig()
    load = SteadyLoad(rig.ports, arguments.rate)
    done: list[Fault] = []
    paused: list[float] = []
    for turn in range(arguments.times):
        fault = Fault(0, "kill", f"broker{turn % 3}", 3)
        rig.play([fault], 0)
        done.append(fault)
        place.cluster.wait_complete()
        rig.play([], 5)
        times = sorted(at for at in list(load.acknowledged.values()) if at >= fault.began - 1)
        paused.append(max((b - a for a, b in itertools.pairwise(times)), default=time.time() - fault.began))
    result: Result = {"times": len(done), "longest_pause_of_acceptance": round(max(paused, default=0), 1)}

    before = {name: resident_mib(node.process.pid) for name, node in rig.nodes.items() if node.process}
    refused = Counter(load.refused)
    lost_two = [Fault(0, "kill", "broker0", arguments.seconds), Fault(0, "kill", "broker1", arguments.seconds)]
    began = time.time()
    rig.play(lost_two, 0)
    grown = max(resident_mib(node.process.pid) - before[name] for name, node in rig.nodes.items()
                if node.process and node.process.status is None)
    answers = Counter(load.refused) - refused
    back = max(fault.ended for fault in lost_two)
    accepted = [at for at in list(load.acknowledged.values()) if began + 5 < at < back]
    wait_until(lambda: any(at > back for at in list(load.acknowledged.values())), 180, "mail is taken again")
    first = min(at for at in list(load.acknowledged.values()) if at > back)
    result["two_down"] = {"seconds": arguments.seconds, "answers": answers, "accepted": len(accepted),
                          "grown_mib": grown, "back_after": round(first - back, 1)}
    rig.play([], 5)
    result |= finish(rig, load, done + lost_two, 1)
    if result["longest_pause_of_acceptance"] > 30 + 3:
        result["complaints"].append("acceptance was not back within 30 s")
    if accepted or any(not 400 <= code < 500 for code in answers) or grown > 32 or first - back > 60:
        result["complaints"].append(f"with two brokers down: {result['two_down']}")
    return result


def rolling(place: Place, arguments: argparse.Namespace) -> Result:
    """SIGTERM and start of each process, one after the other: nobody notices but idle sessions."""
    rig = place.rig()
    load = SteadyLoad(rig.ports, arguments.rate)
    rig.play([], 3)
    codes = []
    for _ in range(arguments.times):
        for name, node in rig.nodes.items():
            say(f"{name} restarts")
            codes.append(node.terminate())
            node.start()
            rig.play([], 1)
    result = {"restarts": len(codes), **finish(rig, load, [], 0)}
    if any(codes):
        result["complaints"].append(f"exit statuses {codes}")
    if set(result["refused"]) - {"421"} or result["unanswered"]:
        result["complaints"].append(f"clients were told {result['refused']}, {result['unanswered']} had no answer")
    return result


def coming_and_going(place: Place, arguments: argparse.Namespace) -> Result:
    """A third sender joins and leaves for good, in turn."""
    rig = place.rig(nodes={**NODES, "sender": 3})
    load = SteadyLoad(rig.ports, arguments.rate)
    guest = rig.nodes.pop("sender3")
    turns = 0
    began = time.monotonic()
    while time.monotonic() - began < arguments.seconds:
        turn = time.monotonic()
        turns += 1
        if turns % 2:
            done = guest.command("ctl", "drain", "--leave", "--reason", "leaves", "-c", guest.config_file)
            assert done.returncode == 0, done.stderr
            assert guest.process and guest.process.wait(60) == 0
        else:
            guest.start()
        rig.play([], max(0.0, arguments.every - (time.monotonic() - turn)))
    rig.nodes["sender3"] = guest
    return {"turns": turns, **finish(rig, load, [], DOUBLED_MAX)}


def park(node: Godwit, ports: list[tuple[str, int]], count: int, size: str, parked: Callable[[], float]) -> float:
    """Has that many deliveries deferred, and says how long it took."""
    began = time.monotonic()
    for host, port in ports[:1]:
        done = node.command("bench", "source", "--to", f"{host}:{port}", "--messages", str(count), "--connections", "50",
                            "--size", size, "--domains", "parked.test", "--domain-count", "200", "--threads", "1",
                            seconds=3600)
        assert done.returncode == 0, done.stderr
    wait_until(lambda: parked() >= count, 3600, lambda: f"{count} parked deliveries: {parked()}")
    return round(time.monotonic() - began, 1)


def takeover(place: Place, arguments: argparse.Namespace) -> Result:
    """A sender dies with its disk; the other has what was parked, with its counts, when it is ready for all partitions."""
    first = 60 + arguments.parked // 300
    rig = place.rig(rules=[LATER], retry={"first": f"{first}s", "factor": 1, "max": f"{first}s", "age": "5d"})
    ingress, gone, heir = rig.nodes["ingress1"], rig.nodes["sender1"], rig.nodes["sender2"]
    took = park(ingress, rig.ports, arguments.parked, arguments.size, lambda: ingress.audit(600)["pending_parked"])
    all_partitions = sum(node.metric("godwit_kafka_partitions_owned") for node in (gone, heir))
    port = int(rig.sink.address.rsplit(":", 1)[1])
    gone.kill()
    shutil.rmtree(gone.directory / "data")
    killed = time.monotonic()
    had = heir.metric("godwit_kafka_partitions_owned") + heir.metric("godwit_kafka_partitions_taking")
    wait_until(lambda: heir.metric("godwit_kafka_partitions_owned") +
               heir.metric("godwit_kafka_partitions_taking") > had, 120, "the group decides")
    decided = time.monotonic()
    wait_until(lambda: heir.metric("godwit_kafka_partitions_owned") == all_partitions, 600, "all partitions are owned")
    owned = time.monotonic()
    rig.sink.close()
    rig.sink = BenchSink(place.executable, place.directory / "godwit", port=port, name="later")
    report = ingress.wait_until_ended(arguments.parked, first + 1800)
    attempts = Counter(event["attempt"] for event in ingress.events("--type", "delivered"))
    found = [] if report["clean"] else [f"the audit is not clean: {report}"]
    if set(attempts) != {2}:
        found.append(f"delivered at the attempts {dict(attempts)}, all should be the second")
    if owned - decided > 60:
        found.append("not owned within 60 s")
    return {"parked": arguments.parked, "parking_seconds": took, "decided_after": round(decided - killed, 1),
            "owned_after_decision": round(owned - decided, 1), "delivered_at_attempt": dict(attempts),
            "heir_mib": resident_mib(heir.process.pid) if heir.process else -1, "complaints": found}


def parked(place: Place, arguments: argparse.Namespace) -> Result:
    """One process with the embedded log: how long it takes to start with what is parked, and its memory."""
    with contextlib.ExitStack() as stack:
        place.directory.mkdir(parents=True, exist_ok=True)
        sink = stack.enter_context(contextlib.closing(BenchSink(place.executable, place.directory, "--rule", LATER)))
        node = stack.enter_context(contextlib.closing(Godwit(place.executable, place.directory / "node", {
            "log": {"embedded": {"segment_bytes": 64 << 20, "reserve_segments": 4, "reserve_table_bytes": 512 << 20}},
            "sender": {"routes": [{"domain": "*", "to": sink.address}]}})))
        node.start()
        took = park(node, [node.relay], arguments.parked, arguments.size,
                    lambda: node.metric("godwit_sender_deliveries_parked_total"))
        assert node.terminate(300) == 0
        began = time.monotonic()
        node.start(600)
        ready = round(time.monotonic() - began, 1)
        assert node.process
        memory = resident_mib(node.process.pid)
        report = node.audit(1800)
    found = []
    if report["pending_parked"] != arguments.parked or not report["clean"]:
        found.append(f"the audit: {report}")
    if ready > 15 or memory > 1024:
        found.append(f"ready after {ready} s with {memory} MiB")
    return {"parked": arguments.parked, "parking_seconds": took, "ready_after": ready, "resident_mib": memory,
            "complaints": found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    figures: dict[str, Callable[[Place, argparse.Namespace], Result]] = {
        "kills": kills, "brokers": brokers, "rolling": rolling, "coming-and-going": coming_and_going,
        "takeover": takeover, "parked": parked}
    parser.add_argument("figure", choices=figures)
    parser.add_argument("--times", type=int, default=3, help="kills, restarts of each process, brokers away")
    parser.add_argument("--messages", type=int, default=0, help="kills: at least so many")
    parser.add_argument("--seconds", type=float, default=60, help="coming-and-going; brokers: with two down")
    parser.add_argument("--every", type=float, default=10, help="coming-and-going: seconds between its turns")
    parser.add_argument("--parked", type=int, default=1000, help="takeover, parked: deliveries")
    parser.add_argument("--size", default="5KiB", help="takeover, parked: of a message")
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--godwit", type=Path, default=ROOT / "build/test/bin/godwit")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--directory", type=Path, help="is kept; by default a temporary one")
    arguments = parser.parse_args()
    with ended_in_order(), contextlib.ExitStack() as stack:
        result = figures[arguments.figure](Place(arguments, stack), arguments)
    text = json.dumps({"figure": arguments.figure, "commit": commit(), **result}, indent=1)
    say(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    return 1 if result["complaints"] else 0


if __name__ == "__main__":
    sys.exit(main())
