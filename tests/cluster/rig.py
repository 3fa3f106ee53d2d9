"""A cluster that is broken on purpose: three brokers, several processes of every role, a load, faults by a seed.

What was acknowledged is remembered here, what arrived is in the sink's ledger, and between them nothing may be lost.
"""

import contextlib
import functools
import itertools
import json
import random
import shutil
import signal
import smtplib
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cluster.surroundings import SINK, Breakable, FullDisk, Names, Roads
from support.addresses import free_port
from support.bench import BenchSink
from support.cluster import fresh_prefix, on_kafka
from support.disk import SmallDisk
from support.godwit import RELAY, TERMINAL, Godwit, merged
from support.kafka import KafkaCluster
from support.mail import Client, message
from support.waiting import wait_until

NODES = {"ingress": 2, "router": 2, "sender": 2, "bouncer": 1}
SESSION, LEASE = 6, 3
# Unknown outcomes are tried again while the run lasts, not ten minutes later.
RETRY = {"first": "1s", "factor": 1, "max": "1s", "age": "5d", "after_unknown": "2s"}
# What was answered 250 before a fault and not committed: a transaction that was under way may take the whole lease,
# and the one behind it, which carries the outcome, as long again.
BEFORE_SECONDS = 2.0 * LEASE
# After a fault the old owner's session has to end, and a stopped process finds out that it lost.
AFTER_SECONDS = SESSION + LEASE + 2.0
SETTLE_SECONDS = 120
AUDIT_SECONDS = 300
CALM_SECONDS = 20.0
# Of the data directories on disks that fill up; what a node keeps there takes a few.
DISK_MEBIBYTES = 96
SMALL_DISKS = ("sender1", "ingress1")
# A name that the DNS denied is asked for again after its TTL; who asked just before the end is told just after it.
AFTER_DENIAL_SECONDS = 5.0
# What a sender may say for good of a name that the DNS denies: the domain, or the host of its MX record.
DENIED = {"5.1.2", "5.4.4"}
RECOVERY_SECONDS = 60.0
# A delivery is repeated when one of these is broken between its answer and its commit.
NEAR_COPIES = ("sender", "broker", "network", "link", "disk-sender")


@dataclass
class Fault:
    at: float  # seconds after the beginning
    kind: str  # kill, stop; of what is around them its own
    target: str  # a node, broker0; network0: between clients and that broker; link01: between brokers; dns; disk-NODE
    seconds: float  # until it is started again, or goes on
    began: float = 0  # wall clock
    ended: float = 0


def schedule(seed: int, seconds: float, calm: float = 3,
             around: Mapping[str, Sequence[str]] = MappingProxyType({})) -> list[Fault]:
    """Faults one after the other, the next beginning at times before the last has ended; never two brokers at once, be
    it that they are dead or that somebody does not come there. `around`: what else can be broken, and how."""
    dice = random.Random(seed)
    ways = [(target, kind) for target, kinds in around.items() for kind in kinds]
    of_brokers = [way for way in ways if way[0].startswith(("network", "link"))]
    others = [way for way in ways if way not in of_brokers]
    targets = [f"{role}{number}" for role, count in NODES.items() for number in range(1, count + 1)]
    faults: list[Fault] = []
    broker_free = 0.0
    at = calm
    while at < calm + seconds:
        kind = dice.choice(["kill", "stop"])
        target = dice.choice(targets)
        length = dice.uniform(0.2, 3) if kind == "kill" else dice.uniform(0.5, 2 * SESSION)
        if dice.random() < 0.25 and at >= broker_free:
            target, length = f"broker{dice.randrange(3)}", dice.uniform(1, 8)
            if of_brokers and dice.random() < 0.6:
                target, kind = dice.choice(of_brokers)
            broker_free = at + length + 15  # until it is in sync again
        elif others and dice.random() < 0.3:
            (target, kind), length = dice.choice(others), dice.uniform(1, 10)
        faults.append(Fault(at, kind, target, length))
        at += dice.uniform(1, 6)
    return faults


def rightly_bounced(bounces: Sequence[Mapping[str, Any]], faults: Sequence[Fault]) -> set[str]:
    """Recipients that were given up because the DNS said that there is no such domain, when it did say so."""
    denials = [(fault.began, fault.ended + AFTER_DENIAL_SECONDS) for fault in faults
               if (fault.target, fault.kind) == ("dns", "deny")]
    return {bounce["recipient"] for bounce in bounces if bounce["reply"]["enhanced"] in DENIED
            and any(begin <= datetime.fromisoformat(bounce["time"]).timestamp() <= end for begin, end in denials)}


class SteadyLoad:
    """Clients that send at a rate, each mail to a recipient of its own, and connect again whatever happens."""

    def __init__(self, servers: list[tuple[str, int]], rate: float, clients: int = 8) -> None:
        self._servers, self._pause = servers, clients / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: dict[str, float] = {}  # recipient -> when, by the wall clock
        self.refused: Counter[int] = Counter()
        self.unanswered = 0
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        sent = 0
        while not self._stop.is_set():
            under_way = False
            try:
                with Client(self._servers[(number + sent) % len(self._servers)], timeout=15) as client:
                    while not self._stop.wait(self._pause):
                        recipient = f"c{number}n{sent}@d{sent % 50}.test"
                        sent += 1
                        under_way = True
                        try:
                            client.submit(message(recipient, "x" * 70 + "\r\n"), "ann@sender.test", recipient)
                        except smtplib.SMTPResponseException as refusal:
                            with self._lock:
                                self.refused[refusal.smtp_code] += 1
                            under_way = False
                            client.rset()
                            continue
                        under_way = False
                        with self._lock:
                            self.acknowledged[recipient] = time.time()
            except (OSError, smtplib.SMTPException):
                with self._lock:
                    self.unanswered += under_way
                sent += 1  # the next connection goes to the other server
                self._stop.wait(0.2)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client still waits for an answer"


@dataclass
class Outcome:
    """What a run came to. `explained` are copies whose first delivery was near a fault of a sender or a broker."""

    seed: int
    seconds: float
    faults: list[Fault]
    acknowledged: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0
    delivered: int = 0
    lost: list[str] = field(default_factory=list)
    misled: int = 0  # bounced while the DNS denied their domains
    copies: int = 0
    unexplained: list[str] = field(default_factory=list)
    audit: dict[str, Any] = field(default_factory=dict)
    dead: int = 0
    crashes: list[str] = field(default_factory=list)  # ends that nobody ordered
    settled_seconds: float = 0  # from the end of the load until everything had ended
    before: dict[str, float] = field(default_factory=dict)  # the faults: a Pace
    after: dict[str, float] = field(default_factory=dict)  # RECOVERY_SECONDS after the last of them

    def report(self) -> dict[str, Any]:
        found = asdict(self)
        found["lost"], found["unexplained"] = len(self.lost), len(self.unexplained)
        return found


class ChaosRig:
    """`nodes` are how many processes each role has; `retry` and `rules` are the senders' and the sink's.

    `names`: mail finds the sink by MX records, of a DNS that can fail, instead of by a route; the process has to be in
    a network with the addresses SINK and CLOSED. `small_disks`: nodes whose data is on disks that can be filled.
    """

    def __init__(self, executable: Path, directory: Path, brokers: KafkaCluster, say: Callable[[str], None], *,
                 nodes: Mapping[str, int] = NODES, retry: Mapping[str, Any] = RETRY, rules: Sequence[str] = (),
                 names: bool = False, small_disks: Sequence[str] = ()) -> None:
        self._say, self._brokers = say, brokers
        self._down: set[str] = set()
        self._crashes: list[str] = []
        self.ports: list[tuple[str, int]] = []
        self.nodes: dict[str, Godwit] = {}
        directory.mkdir(parents=True, exist_ok=True)
        # What was started before something went wrong is ended as well.
        with contextlib.ExitStack() as started:
            self.sink = BenchSink(executable, directory, *[word for rule in rules for word in ("--rule", rule)],
                                  host=SINK if names else "127.0.0.1")
            started.callback(lambda: self.sink.close())  # one that took its place, too
            self.around = self._surround(started, directory, names, small_disks)
            self._configure(executable, directory, nodes, retry)
            for node in self.nodes.values():
                started.callback(node.close)
            self._start()
            self._started = started.pop_all()

    def _surround(self, started: contextlib.ExitStack, directory: Path, names: bool,
                  small_disks: Sequence[str]) -> dict[str, Breakable]:
        around: dict[str, Breakable] = {}
        proxies = self._brokers.proxies
        for number, proxy in enumerate(proxies):
            around[f"network{number}"] = Roads([(proxy, None)])
        for one, other in itertools.combinations(range(len(proxies)), 2):
            around[f"link{one}{other}"] = Roads(self._brokers.link(one, other))
        self._names = Names() if names else None
        if self._names:
            started.callback(self._names.server.close)
            around["dns"] = self._names
        for name in small_disks:
            disk = SmallDisk(directory / name / "data", DISK_MEBIBYTES)
            started.callback(disk.close)
            around[f"disk-{name}"] = FullDisk(disk, functools.partial(self._kill, name))
        return around

    def _configure(self, executable: Path, directory: Path, nodes: Mapping[str, int], retry: Mapping[str, Any]) -> None:
        log = on_kafka(self._brokers, fresh_prefix("chaos"), session_timeout=f"{SESSION}s", lease=f"{LEASE}s",
                       partitions=8)
        port = self.sink.address.rsplit(":", 1)[1]
        common: dict[str, Any] = {"sender": {"routes": [{"domain": "*", "to": self.sink.address}], "retry": dict(retry)}}
        if self._names:
            # What is said now holds now, so that each fault is seen.
            common = {"sender": {"smtp_port": int(port), "retry": dict(retry)},
                      "router": {"sites": {"ttl_min": "1s", "ttl_max": "1s", "failure_ttl": "1s"}},
                      "dns": {"servers": [self._names.server.address], "validate": False, "timeout": "10s"}}
        def make(role: str, number: int) -> Godwit:
            name = f"{role}{number}"
            config: dict[str, Any] = {"node": name, **common}
            if role == "ingress":
                port = free_port()
                self.ports.append(("127.0.0.1", port))
                config["ingress"] = {"smtp": [{**RELAY, "listen": f"127.0.0.1:{port}"}]}
            node = Godwit(executable, directory / name, merged(config, log))
            node.options = (f"--roles={role}",)
            self.nodes[name] = node
            return node

        self._make = make
        for role, count in nodes.items():
            for number in range(1, count + 1):
                make(role, number)

    def _start(self) -> None:
        self.nodes["ingress1"].start()  # makes the topics
        others = [node for name, node in self.nodes.items() if name != "ingress1"]
        for node in others:
            node.launch()
        for node in others:
            node.wait_until_ready()

    def close(self) -> None:
        self._started.close()

    # --- nodes that come and go

    def join(self, role: str) -> Godwit:
        """One more of a role, launched; who wants it ready waits."""
        node = self._make(role, 1 + sum(name.startswith(role) for name in self.nodes))
        self._started.callback(node.close)
        node.launch()
        return node

    def leave(self, name: str) -> int:
        """For good: others have its partitions at once. The exit status."""
        node = self.nodes.pop(name)
        done = node.command("ctl", "drain", "--leave", "--reason", "scaled in", "-c", node.config_file)
        assert done.returncode == 0, done.stderr
        assert node.process
        return node.process.wait(60)

    # --- faults

    def _kill(self, name: str) -> None:
        """Whoever runs is started again at once."""
        node = self.nodes[name]
        if name not in self._down and node.process:
            node.process.kill()
            node.launch()

    def _begin(self, fault: Fault) -> None:
        fault.began = time.time()
        self._say(f"{fault.at:6.1f} s  {fault.kind} {fault.target} for {fault.seconds:.1f} s")
        if breakable := self.around.get(fault.target):
            breakable.break_it(fault.kind)
            return
        if fault.target.startswith("broker"):
            process = self._brokers.processes[int(fault.target[6:])]
        else:
            process = self.nodes[fault.target].process
        assert process
        if fault.kind == "kill":
            self._down.add(fault.target)
            process.kill()
        elif process.status is None:
            process.signal(signal.SIGSTOP)

    def _end(self, fault: Fault) -> None:
        if breakable := self.around.get(fault.target):
            breakable.mend()
        elif fault.target.startswith("broker"):
            number = int(fault.target[6:])
            process = self._brokers.processes[number]
            if fault.kind == "kill":
                self._brokers.start_broker(number)
            elif process and process.status is None:
                process.signal(signal.SIGCONT)
        elif fault.kind == "kill":
            self.nodes[fault.target].launch()
        else:
            process = self.nodes[fault.target].process
            if process and process.status is None:
                process.signal(signal.SIGCONT)
        self._down.discard(fault.target)
        fault.ended = time.time()

    def _keep_running(self) -> None:
        """As a supervisor does: what ended and was not killed by us starts again, and is told of if it is a crash."""
        for name, node in self.nodes.items():
            assert node.process
            status = node.process.status
            if status is None or name in self._down:
                continue
            # 3: could not start, as without brokers; 0: it lost what it cannot go on without, and ended in order.
            if status not in (0, 3):
                self._crashes.append(f"{name} ended with {status}")
            self._say(f"          {name} ended with {status}, starts again")
            node.launch()

    def play(self, faults: list[Fault], seconds: float) -> None:
        """Each fault at its time, and `seconds` at least; a fault whose target has not come back from another is left
        out of the list."""
        began = time.monotonic()
        to_end: list[Fault] = []
        waiting = list(faults)
        last_look = 0.0
        while waiting or to_end or time.monotonic() - began < seconds:
            now = time.monotonic() - began
            for fault in [fault for fault in to_end if fault.at + fault.seconds <= now]:
                to_end.remove(fault)
                self._end(fault)
            # One fault at a time for each target: a later one waits.
            if waiting and waiting[0].at <= now:
                fault = waiting.pop(0)
                if all(other.target != fault.target for other in to_end):
                    self._begin(fault)
                    fault.at = now
                    to_end.append(fault)
                else:
                    faults.remove(fault)
            if now - last_look > 1:
                last_look = now
                self._keep_running()
            time.sleep(0.02)

    # --- the run

    def run(self, seed: int, seconds: float, rate: float, calm: float = 3) -> Outcome:
        """With a calm of CALM_SECONDS the outcome says how it went before the faults, and how some time after them."""
        outcome = Outcome(seed, seconds, schedule(
            seed, seconds, calm, {target: breakable.kinds for target, breakable in self.around.items()}))
        looks_back = calm >= CALM_SECONDS
        load = SteadyLoad(self.ports, rate)
        try:
            self.play(outcome.faults, calm + seconds)
            if looks_back:
                self.play([], RECOVERY_SECONDS + CALM_SECONDS)
        finally:
            load.stop()
        self.account(outcome, load)
        if looks_back:
            first, last = outcome.faults[0].began, max(fault.ended for fault in outcome.faults)
            outcome.before = self._pace(load, first - CALM_SECONDS / 2, first)
            outcome.after = self._pace(load, last + RECOVERY_SECONDS, last + RECOVERY_SECONDS + CALM_SECONDS / 2)
        return outcome

    def _pace(self, load: SteadyLoad, begin: float, end: float) -> dict[str, float]:
        """Deliveries a second in that time, and how long 95% of them had waited since their 250, at most."""
        waits = sorted(arrived[0] - load.acknowledged[recipient] for recipient, arrived in self._arrivals().items()
                       if begin <= arrived[0] < end and recipient in load.acknowledged)
        return {"delivered_per_second": round(len(waits) / (end - begin), 1),
                "waited_p95": round(waits[len(waits) * 95 // 100], 3) if waits else -1}

    def account(self, outcome: Outcome, load: SteadyLoad) -> None:
        """When the load has stopped: waits until everything has ended, and compares."""
        outcome.acknowledged = len(load.acknowledged)
        outcome.refused = {str(code): count for code, count in load.refused.items()}
        outcome.unanswered = load.unanswered
        began = time.monotonic()
        outcome.audit = self._settle(outcome.acknowledged)
        outcome.settled_seconds = round(time.monotonic() - began, 1)
        self._compare(outcome, load)

    def _settle(self, acknowledged: int) -> dict[str, Any]:
        latest: dict[str, Any] = {}

        def ended() -> bool:
            self._keep_running()
            done = self.nodes["ingress1"].command("audit", "-c", self.nodes["ingress1"].config_file, "--json",
                                                  seconds=AUDIT_SECONDS)
            if done.returncode not in (0, 1):
                return False
            latest.update(json.loads(done.stdout))
            return sum(latest[kind] for kind in TERMINAL) + latest["held"] >= acknowledged and latest["pending"] == 0

        try:
            wait_until(ended, SETTLE_SECONDS, lambda: f"everything ended: {latest}")
        except AssertionError as late:  # the account tells what is missing
            self._say(str(late))
            self._keep_stacks()
        return latest

    def _keep_stacks(self) -> None:
        """Where each thread of each process stands, beside its log: of what hangs nothing else tells."""
        debugger = shutil.which("gdb")
        for node in self.nodes.values():
            if debugger and node.process and node.process.status is None:
                done = subprocess.run([debugger, "-batch", "-p", str(node.process.pid), "-ex", "thread apply all bt"],
                                      capture_output=True, text=True, timeout=120, check=False)
                (node.directory / "stacks").write_text(done.stdout)

    def _arrivals(self) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {}
        for line in self.sink.ledger():
            if line["outcome"] == "accepted":
                for recipient in line["recipients"]:
                    times.setdefault(recipient, []).append(datetime.fromisoformat(line["time"]).timestamp())
        return times

    def _bounces(self) -> list[dict[str, Any]]:
        return self.nodes["ingress1"].events("--type", "bounced")

    def _compare(self, outcome: Outcome, load: SteadyLoad) -> None:
        times = self._arrivals()
        outcome.delivered = len(times)
        without = set(load.acknowledged) - set(times)
        bounces = self._bounces() if without else []
        denied = rightly_bounced(bounces, outcome.faults) & without
        outcome.misled = len(denied)
        outcome.lost = sorted(without - denied)
        for bounce in bounces:
            if bounce["recipient"] in outcome.lost:
                self._say(f"lost, but bounced: {bounce}")
        outcome.copies = sum(len(found) - 1 for found in times.values())
        near = [(fault.began - BEFORE_SECONDS, fault.ended + AFTER_SECONDS) for fault in outcome.faults
                if fault.target.startswith(NEAR_COPIES)]
        outcome.unexplained = [recipient for recipient, found in times.items() if len(found) > 1
                               and not any(begin <= min(found) <= end for begin, end in near)]
        outcome.dead = int(outcome.audit.get("held", 0))
        outcome.crashes = self._crashes
