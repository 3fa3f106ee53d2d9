"""Counts what a message costs, in instructions (callgrind), octets copied and allocations; compares with smoke.json.

    make bench-smoke                                 build, count, compare: under two minutes once it is built
    make bench-smoke BASELINE="why"                  the counts of now become the baseline, with the reason
    .venv/bin/python bench/smoke.py EXECUTABLE relay-5k --top 15      what a scenario spends them on

A scenario that is more than 10% over its baseline in any of the three fails; so does one without a baseline, or a
baseline without its scenario. bench/smoke/README.md says what is counted and what is not. The exit status is 0 if
nothing failed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "bench" / "smoke.json"

TOLERANCE = 0.10
# What is counted, and what it may be over the tolerance: a tenth of very little is nothing.
SLACK = {"instructions": 0.0, "octets_copied": 64.0, "allocations": 0.5}
WARM_UP_ROUNDS = 5
ROUNDS = 15
TIMEOUT_SECONDS = 300

# Which instructions run must not depend on the processor, nor on the environment of whoever calls.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    # memcpy and its like: the variants that every x86-64 has, with thresholds that do not come from its caches.
    "GLIBC_TUNABLES": ":".join([
        "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load,-SSSE3,-SSE4_1,-SSE4_2,"
        "-ERMS,-FSRM,-BMI1,-BMI2,-LZCNT,-MOVBE,-RTM",
        "glibc.cpu.x86_data_cache_size=0x8000",
        "glibc.cpu.x86_shared_cache_size=0x100000",
        "glibc.cpu.x86_non_temporal_threshold=0xc0000",
    ]),
    # SSE2 to SSE4.2, AES-NI and PCLMULQDQ; nothing of AVX.
    "OPENSSL_ia32cap": "0x0218020207808010:0",
}


@dataclass
class Count:
    """What one scenario came to: each of SLACK, a message; or why there is no number."""

    name: str
    values: dict[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass
class Verdict:
    """One line of the table."""

    name: str
    good: bool
    line: str


def scenarios(executable: Path) -> list[str]:
    listing = subprocess.run([executable, "--list"], capture_output=True, text=True, check=True)
    return listing.stdout.split()


def count(executable: Path, name: str, profile: Path) -> Count:
    """Runs one scenario under callgrind; its profile goes to `profile`."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no",
               f"--callgrind-out-file={profile}", executable, name, str(WARM_UP_ROUNDS), str(ROUNDS)]
    try:
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False,
                              timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return Count(name, error=f"not done after {TIMEOUT_SECONDS} s")
    if done.returncode != 0:
        return Count(name, error=f"exit status {done.returncode}:\n" + "\n".join(done.stderr.splitlines()[-10:]))
    totals = re.search(r"^totals: (\d+)$", profile.read_text(errors="replace"), re.MULTILINE)
    if not totals or not int(totals[1]):
        return Count(name, error="callgrind counted nothing")
    messages, copied, allocations = map(int, done.stdout.split())
    return Count(name, {"instructions": round(int(totals[1]) / messages), "octets_copied": round(copied / messages),
                        "allocations": round(allocations / messages, 1)})


def judge(one: Count, baseline: dict[str, float] | None) -> Verdict:
    """Good if nothing is over the baseline by more than the tolerance."""
    if one.error:
        return Verdict(one.name, False, f"{one.name:<22} {one.error}")
    line = f"{one.name:<22}"
    over = []
    below = False
    for what, slack in SLACK.items():
        value = one.values[what]
        if baseline is None:
            line += f" {value:>13,}        -"
            continue
        limit = baseline[what] * (1 + TOLERANCE) + slack
        if value > limit:
            over.append(f"{what} {value:,} over {limit:,.0f}")
        below |= value < baseline[what] * (1 - TOLERANCE) - slack
        change = value / baseline[what] - 1 if baseline[what] else 0
        line += f" {value:>13,} {change:>+8.1%}"
    if baseline is None:
        return Verdict(one.name, False, line + "  NO BASELINE")
    if over:
        return Verdict(one.name, False, f"{line}  {', '.join(over)}")
    return Verdict(one.name, True, line + ("  below: write a new baseline" if below else ""))


def compare(counts: list[Count], baseline: dict[str, dict[str, float]]) -> list[Verdict]:
    """One verdict a scenario, and one for each baseline whose scenario is gone."""
    verdicts = [judge(one, baseline.get(one.name)) for one in counts]
    gone = baseline.keys() - {one.name for one in counts}
    return verdicts + [Verdict(name, False, f"{name:<22} has a baseline and is no scenario") for name in sorted(gone)]


def count_all(executable: Path, jobs: int) -> list[Count]:
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda name: count(executable, name, Path(directory) / name), scenarios(executable)))


def committed_baseline() -> dict[str, dict[str, float]]:
    return json.loads(BASELINE.read_text())["scenarios"]


def table(verdicts: list[Verdict]) -> str:
    head = f"{'a message':<22}" + "".join(f" {what.replace('_', ' '):>13}  changed" for what in SLACK)
    return "\n".join([head, *(verdict.line for verdict in verdicts)])


def write_baseline(counts: list[Count], reason: str) -> None:
    value = {"reason": reason, "scenarios": {one.name: one.values for one in counts}}
    BASELINE.write_text(json.dumps(value, indent=2) + "\n")


def top(executable: Path, name: str, lines: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        profile = Path(directory) / name
        one = count(executable, name, profile)
        if one.error:
            print(one.error, file=sys.stderr)
            return 1
        print(f"{name}: {one.values['instructions']:,} instructions a message")
        listing = subprocess.run(["callgrind_annotate", "--show=Ir", "--threshold=100", profile],
                                 capture_output=True, text=True, check=True).stdout
        functions = [line for line in listing.splitlines() if re.match(r" *[\d,]+ +\( *[\d.]+%\)", line)]
        print("\n".join(functions[1:lines + 1]))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executable", type=Path, help="bench_smoke, built by `make bench-smoke`")
    parser.add_argument("scenario", nargs="?", help="with --top: which")
    parser.add_argument("--top", type=int, metavar="N", help="print the N functions with the largest share of it")
    parser.add_argument("--baseline", metavar="REASON", help="write the baseline, and why it is what it is")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    arguments = parser.parse_args()
    if arguments.top:
        if not arguments.scenario:
            parser.error("--top wants a scenario")
        return top(arguments.executable, arguments.scenario, arguments.top)

    counts = count_all(arguments.executable, arguments.jobs)
    if arguments.baseline is not None:
        if not arguments.baseline.strip() or any(one.error for one in counts):
            print("a baseline wants its reason, and every scenario to run:", file=sys.stderr)
            print(table([judge(one, None) for one in counts]), file=sys.stderr)
            return 1
        write_baseline(counts, arguments.baseline.strip())
    verdicts = compare(counts, committed_baseline())
    print(table(verdicts))
    return 0 if all(verdict.good for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
