"""The command: which peers, loads and questions, in which order, and what becomes of the answers."""

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from support.certificates import make_certificate

from compare import peers, questions
from compare.loads import LOADS, QUICK, Load
from compare.machine import machine
from compare.measuring import count_syncs, measure
from compare.peers.peer import Missing, Peer
from compare.results import Results
from compare.table import write_results

ROOT = Path(__file__).resolve().parents[2]
TIME = "when the time was up"


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/compare", description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("godwit", type=Path, help="the executable (build/release/bin/godwit)")
    parser.add_argument("--loads", metavar="A,B", help=f"of {', '.join(LOADS)}; none: no loads")
    parser.add_argument("--peers", metavar="A,B", help=f"of {', '.join(peers.TITLES)}")
    parser.add_argument("--questions", metavar="A,B",
                        help=f"rows of the targets that need a measurement of their own: {', '.join(questions.QUESTIONS)}; none")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds, whose medians count (3)")
    parser.add_argument("--seconds", type=float, default=4, help="that a run should take, more or less (4)")
    parser.add_argument("--minutes", type=float, default=60, help="no run begins after that; what is left out is named (60; all of it takes 90)")
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)}; one round of 2 s, small questions")
    parser.add_argument("--keep", action="store_true", help="adds to the results of the last call, instead of forgetting them")
    parser.add_argument("--write", action="store_true", help="writes the generated part of bench/RESULTS.md")
    parser.add_argument("--directory", type=Path, default=ROOT / "build/bench", help="where queues, logs and peers are")
    return parser


def chosen(text: str | None, known: Sequence[str], default: Sequence[str]) -> list[str]:
    if text is None:
        return list(default)
    names = [name for name in text.split(",") if name and name != "none"]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"bench/compare: unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return names


class Comparison:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.executable: Path = arguments.godwit.resolve()
        self.directory: Path = arguments.directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        # Servers that give up root's privileges walk through it.
        self.top = Path(tempfile.mkdtemp(prefix="run-", dir=self.directory))
        self.top.chmod(0o755)
        self.seconds: float = arguments.seconds
        self.deadline = time.monotonic() + 60 * arguments.minutes
        self.results = Results(self.directory / "results.json", keep=arguments.keep)
        self.certificate = make_certificate(self.top)
        self.certificate.key.chmod(0o644)
        self.peers: list[Peer] = []
        self.left_out: list[str] = []

    def fresh(self, name: str) -> Path:
        path = self.top / name
        path.mkdir()
        return path

    def install(self, names: list[str]) -> None:
        for peer in peers.make_peers(self.executable, self.top):
            if peer.name not in names:
                continue
            try:
                self.results.versions[peer.name] = peer.install(self.directory / "peers")
                self.results.missing.pop(peer.name, None)
                self.peers.append(peer)
            except Missing as reason:
                self.results.missing[peer.name] = str(reason)
                print(f"missing: {peers.TITLES[peer.name]}: {reason}", flush=True)
        self.results.save()

    def attempt(self, what: str, action: Callable[[Path], str]) -> None:
        """Runs one measurement in a directory of its own; one that fails is named, and the others go on."""
        if time.monotonic() > self.deadline:
            self.left_out.append(what)
            return
        directory = self.fresh(what.replace(" ", "-"))
        begun = time.monotonic()
        try:
            said = action(directory)
            self.results.failed.pop(what, None)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is this measurement's
            said = "failed: " + " ".join(str(problem).split())[-600:]
            self.results.failed[what] = said
        print(f"{what}: {said} [{time.monotonic() - begun:.0f} s]", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        self.results.save()

    def loads(self, names: list[str], rounds: int) -> None:
        loads = [LOADS[name] for name in names]
        for first in (True, False):
            for turn in range(1, rounds + 1):
                for load in (one for one in loads if one.first == first):
                    for peer in self.peers:
                        if reason := peer.refuses(load):
                            self.results.failed[f"{load.name} {peer.name}"] = reason
                        else:
                            self._load(load, peer, turn)

    def _load(self, load: Load, peer: Peer, turn: int) -> None:
        def one(directory: Path) -> str:
            seconds = self.seconds if load.first else self.seconds / 2
            run = measure(self.executable, peer, load, directory, self.certificate, seconds)
            self.results.add(load.name, peer.name, run)
            return f"{run.rate:,.0f}/s, {run.cpu_ms:.3f} CPU ms, {run.memory_octets / 2**20:.0f} MiB"

        self.attempt(f"{load.name} {peer.name} {turn}", one)

    def syncs(self, names: list[str]) -> None:
        if not shutil.which("strace"):
            self.results.failed["syncs"] = "needs strace"
            return
        for load in (LOADS[name] for name in names if LOADS[name].syncs):
            for peer in self.peers:
                if peer.name == "direct":
                    continue

                def one(directory: Path, load=load, peer=peer) -> str:
                    count = count_syncs(self.executable, peer, load, directory, self.certificate)
                    self.results.set_syncs(load.name, peer.name, count)
                    return f"{count:.2f} a message"

                self.attempt(f"syncs {load.name} {peer.name}", one)

    def questions(self, names: list[str], quick: bool) -> None:
        for name in names:
            def one(directory: Path, name=name) -> str:
                self.results.answers[name] = questions.QUESTIONS[name](self.executable, directory, quick)
                return json.dumps(self.results.answers[name])

            self.attempt(f"question {name}", one)

    def name_what_was_left_out(self) -> None:
        self.results.failed.pop(TIME, None)
        if self.left_out:
            self.results.failed[TIME] = f"{len(self.left_out)} not begun, the first of them {self.left_out[0]}"
        self.results.save()

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        shutil.rmtree(self.top, ignore_errors=True)


def main() -> int:
    arguments = options().parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, min(arguments.seconds, 2)
    loads = chosen(arguments.loads, list(LOADS), QUICK if arguments.quick else list(LOADS))
    asked = chosen(arguments.questions, list(questions.QUESTIONS), list(questions.QUESTIONS))
    # Whoever ends this ends what it started: `finally` runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    comparison = Comparison(arguments)
    with contextlib.closing(comparison):
        comparison.results.machine = machine(comparison.top)
        comparison.install(chosen(arguments.peers, list(peers.TITLES), list(peers.TITLES)))
        # What the targets need comes first: when time is up, something else is missing.
        comparison.questions(asked, arguments.quick)
        comparison.loads(loads, arguments.rounds)
        comparison.syncs(loads)
        comparison.name_what_was_left_out()
    text = write_results(comparison.results, ROOT / "bench/RESULTS.md" if arguments.write else None)
    print("\n" + text)
    return 0
