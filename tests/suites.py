"""Runs every test that a change must pass, suite by suite, each against its budget of time.

    make test                             all of it
    .venv/bin/python tests/suites.py unit scenarios      some suites

Suites: build, unit (C++ tests beside the code), sanitizers (pure libraries and fuzz targets under ASan and
UBSan), tree (format, layers, links), smoke (instructions a message against their baseline, bench/smoke/README.md),
simulation (a cluster in virtual time, by seed), scenarios (end to end, against real servers), chart (the Helm chart, and
the configuration it renders), observe (metrics, and what is made of them, against a real Prometheus), kafka (the log's
tests on real brokers, and stories of scenarios with each role in its own process), chaos (a short run with a fixed
seed; docs/reliability.md).
Only when asked for: kafka-long (all of those stories), image (what scripts/image made, under containerd; root) and kube
(the chart on a real control plane; root).
Budgets are minutes on 2 idle cores with an empty compiler cache. A suite over its budget says so, again before the
last line, and fails nothing: how long it takes is the machine's affair too. Processor time is not, so it stands beside.
The last line is `N passed, N failed`, over every case of every suite; the exit status is 0 only if nothing failed.
"""

import argparse
import concurrent.futures
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import smoke  # noqa: E402

BUILD = ROOT / "build"
RESULTS = BUILD / "test-results"
SUMMARY = BUILD / "test-summary.txt"
EXECUTABLE = BUILD / "test" / "bin" / "godwit"
RELEASE = BUILD / "release" / "bin" / "godwit"

# Pure libraries: their unit tests run again under sanitizers.
PURE = ["base", "smtp", "mail", "report", "text", "record", "config"]
FUZZ_RUNS = 20_000
FUZZ_SECONDS = 10

SIMULATED_SEEDS = 1000

CORES_OF_BUDGET = 2
BUDGET_MINUTES = {"deps": 7, "build": 14, "unit": 4, "sanitizers": 5, "tree": 1, "smoke": 5, "simulation": 1, "scenarios": 5,
                  "chart": 1, "observe": 1, "kafka": 4, "kafka-long": 20, "chaos": 4, "image": 2, "kube": 5}
# Only when they are asked for.
EXTRA = {"kafka-long", "image", "kube"}


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.notes += other.notes

    def fail(self, note: str) -> None:
        self.failed += 1
        self.notes.append(note)


def run(command: list[str | Path], log: str, timeout: float, **kwargs) -> int:
    """Runs a command with its output in build/test-results/LOG; returns its exit status, 124 after the timeout."""
    path = RESULTS / log
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as output:
        try:
            return subprocess.run([str(c) for c in command], stdout=output, stderr=subprocess.STDOUT, cwd=ROOT,
                                  timeout=timeout, check=False, **kwargs).returncode
        except subprocess.TimeoutExpired:
            return 124


def tail(log: str, lines: int = 40) -> str:
    return "\n".join((RESULTS / log).read_text(errors="replace").splitlines()[-lines:])


def build(preset: str, targets: list[str], jobs: int, options: Iterable[str] = ()) -> Tally:
    """Configures and builds; a build that works counts as nothing, one that does not as a failure."""
    tally = Tally()
    log = f"build-{preset}.log"
    if run(["cmake", "--preset", preset, *options], f"configure-{preset}.log", 300) != 0:
        tally.fail(f"cmake --preset {preset}:\n{tail(f'configure-{preset}.log')}")
        return tally
    command = ["cmake", "--build", "--preset", preset, "-j", str(jobs), "--", "-k", "0"]
    if targets:
        command[4:4] = ["--target", *targets]
    if run(command, log, 3000) != 0:
        errors = [line for line in (RESULTS / log).read_text(errors="replace").splitlines()
                  if re.search(r"error:|FAILED:|undefined symbol", line)]
        tally.fail(f"cmake --build --preset {preset}:\n" + ("\n".join(errors[:40]) or tail(log)))
    return tally


def targets_of(preset: str) -> set[str]:
    listing = subprocess.run(["ninja", "-C", str(BUILD / preset), "-t", "targets", "all"],
                             capture_output=True, text=True, check=False).stdout
    return {line.split(":")[0] for line in listing.splitlines()}


def interrupted_case(output: str) -> str | None:
    """The GoogleTest case that had begun and not ended when the process did."""
    begun = None
    for line in output.splitlines():
        if match := re.match(r"\[ *(RUN|OK|FAILED|SKIPPED) *\] (\S+)", line):
            begun = match[2] if match[1] == "RUN" else None
    return begun


def ctest(preset: str, jobs: int, pattern: str, timeout: float) -> Tally:
    """Runs the registered tests whose names match, counting each GoogleTest case."""
    tally = Tally()
    where = BUILD / preset
    listing = subprocess.run(["ctest", "--test-dir", str(where), "--show-only=json-v1", "-R", pattern],
                             capture_output=True, text=True, check=False)
    names = [test["name"] for test in json.loads(listing.stdout or "{}").get("tests", [])]
    if not names:
        tally.fail(f"no tests match {pattern} in build/{preset}")
        return tally
    reports = RESULTS / f"gtest-{preset}"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    log = f"ctest-{preset}.log"
    junit = RESULTS / f"ctest-{preset}.xml"
    run(["ctest", "--test-dir", where, "-j", jobs, "-R", pattern, "--output-on-failure",
         "--test-output-size-failed", "16000000", "--output-junit", junit],
        log, timeout, env={**os.environ, "GTEST_OUTPUT": f"json:{reports}/"})
    if not junit.is_file():
        tally.fail(f"ctest of build/{preset} did not end in {timeout:.0f} s:\n{tail(log)}")
        return tally
    for case in ElementTree.parse(junit).iter("testcase"):
        name = case.get("name", "")
        good = case.get("status") == "run"
        report = reports / f"{name}.json"
        if report.is_file():
            counts = json.loads(report.read_text())
            failures = counts["failures"] + counts["errors"]
            tally.passed += counts["tests"] - failures - counts["disabled"]
            tally.failed += failures
            if not good and failures == 0:
                tally.fail(f"{name} failed after its last case")
            elif failures:
                tally.notes.append(f"{name}: {failures} of {counts['tests']} cases failed; see {relative(RESULTS / log)}")
        elif good:
            tally.passed += 1
        else:
            output = case.findtext("system-out") or ""
            during = interrupted_case(output)
            late = re.search(rf" {name} \.*\*\*\*Timeout", (RESULTS / log).read_text(errors="replace"))
            why = f"not done after {float(case.get('time', '0')):.0f} s" if late else "failed"
            tally.fail(f"{name}: {why}{f', in {during}' if during else ''}:\n" + "\n".join(output.splitlines()[-40:]))
    return tally


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pytest(name: str, arguments: list[str], timeout: float) -> Tally:
    """Runs pytest, counting its cases; skipped ones count as failed, because here nothing may be left out.

    A case marked xfail is a known defect with its reason beside it: named in a note, neither passed nor failed.
    """
    tally = Tally()
    junit = RESULTS / f"pytest-{name}.xml"
    junit.unlink(missing_ok=True)
    log = f"pytest-{name}.log"
    run([sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", "--rootdir", "tests", f"--junitxml={junit}", *arguments],
        log, timeout)
    if not junit.is_file():
        tally.fail(f"pytest {name} did not end:\n{tail(log)}")
        return tally
    for suite in ElementTree.parse(junit).iter("testsuite"):
        known = [case.get("name", "") for case in suite.iter("testcase")
                 if any(skip.get("type") == "pytest.xfail" for skip in case.iter("skipped"))]
        tally.notes += [f"{name}: known to fail" for name in known]
        bad = sum(int(suite.get(kind, "0")) for kind in ("failures", "errors", "skipped")) - len(known)
        tally.passed += int(suite.get("tests", "0")) - bad - len(known)
        tally.failed += bad
        if bad:
            tally.notes.append(f"{bad} of {suite.get('tests')} cases failed; see {relative(RESULTS / log)}\n{tail(log)}")
    if tally.passed + tally.failed == 0:
        tally.fail(f"pytest {name} found no cases:\n{tail(log)}")
    return tally


def suite_build(jobs: int) -> Tally:
    return build("test", [], jobs)


def suite_unit(jobs: int) -> Tally:
    return ctest("test", jobs, ".", 1200)


def fuzz_one(target: Path) -> Tally:
    """Replays the corpus, then goes on from it for a bounded number of executions."""
    tally = Tally()
    name = target.name.removesuffix("_fuzz")
    corpus = ROOT / "tests/fuzz/corpus" / name
    if not corpus.is_dir() or not any(corpus.iterdir()):
        tally.fail(f"{target.name}: no corpus in {relative(corpus)}")
        return tally
    grown = RESULTS / "fuzz" / name
    shutil.rmtree(grown, ignore_errors=True)
    grown.mkdir(parents=True)
    log = f"{target.name}.log"
    status = run([target, "-seed=1", f"-runs={FUZZ_RUNS}", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
                  "-rss_limit_mb=1024", "-print_final_stats=1", f"-artifact_prefix={RESULTS}/{target.name}-",
                  grown, corpus], log, 300)
    text = (RESULTS / log).read_text(errors="replace")
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    if status == 0 and executions:
        tally.passed += 1
        print(f"   {target.name}: {executions[1]} executions, corpus of {len(list(corpus.iterdir()))}", flush=True)
    else:
        tally.fail(f"{target.name} (exit status {status}):\n{tail(log)}")
    return tally


def suite_sanitizers(jobs: int) -> Tally:
    tally = Tally()
    if run(["cmake", "--preset", "fuzz"], "configure-fuzz.log", 300) != 0:
        tally.fail(f"cmake --preset fuzz:\n{tail('configure-fuzz.log')}")
        return tally
    there = targets_of("fuzz")
    tests = [f"{module}_test" for module in PURE if f"{module}_test" in there]
    tally.add(build("fuzz", tests + (["fuzzers"] if "fuzzers" in there else []), jobs))
    if tally.failed:
        return tally
    tally.add(ctest("fuzz", jobs, f"^({'|'.join(tests)})$", 1200))
    fuzzers = sorted((BUILD / "fuzz" / "fuzz").glob("*_fuzz"))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for one in pool.map(fuzz_one, fuzzers):
            tally.add(one)
    return tally


def suite_tree(_: int) -> Tally:
    return pytest("tree", ["-q", "tests/tree", "tests/layering"], 300)


def suite_smoke(jobs: int) -> Tally:
    # As `make bench-smoke`: what is shipped is what is counted.
    tally = build("release", ["bench_smoke"], jobs, ["-DGODWIT_TESTS=OFF"])
    if tally.failed:
        return tally
    verdicts = smoke.compare(smoke.count_all(BUILD / "release" / "bin" / "bench_smoke", jobs), smoke.committed_baseline())
    print("   " + smoke.table(verdicts).replace("\n", "\n   "), flush=True)
    for verdict in verdicts:
        if verdict.good:
            tally.passed += 1
        else:
            tally.fail(verdict.line)
    return tally


def suite_simulation(jobs: int) -> Tally:
    tally = Tally()
    executable = BUILD / "test" / "bin" / "simulation"
    if not executable.is_file():
        tally.fail("simulation: build/test/bin/simulation was not built")
        return tally
    log = "simulation.log"
    status = run([executable, "--check", "--seeds", SIMULATED_SEEDS, "--jobs", jobs], log, 600)
    lines = (RESULTS / log).read_text(errors="replace").splitlines()
    tally.passed += sum(line.startswith("passed ") for line in lines)
    failed = [line for line in lines if line.startswith("failed ")]
    tally.failed += len(failed)
    if status != 0:
        tally.notes.append(f"exit status {status}; see {relative(RESULTS / log)}, tests/simulation/README.md\n" +
                           "\n".join([line for line in lines if line.startswith("seed ")][:10] + failed))
        tally.failed += 0 if failed else 1
    return tally


def suite_scenarios(jobs: int) -> Tally:
    tally = Tally()
    if not EXECUTABLE.is_file():
        tally.fail("scenarios: build/test/bin/godwit was not built")
        return tally
    # Scenarios mostly wait for servers: a few more than there are cores keep them busy.
    return pytest("scenarios", ["-q", "-n", str(min(jobs + 1, 6)), "--dist", "loadfile",
                                f"--godwit={EXECUTABLE}", "tests/scenarios", "tests/cluster/test_rig.py"], 1500)


def suite_chart(jobs: int) -> Tally:
    tally = Tally()
    if not EXECUTABLE.is_file():
        tally.fail("chart: build/test/bin/godwit was not built")
        return tally
    return pytest("chart", ["-q", "-n", str(min(jobs, 4)), f"--godwit={EXECUTABLE}", "tests/chart"], 300)


def suite_observe(_: int) -> Tally:
    tally = Tally()
    if not EXECUTABLE.is_file():
        tally.fail("observe: build/test/bin/godwit was not built")
        return tally
    # One process under load and one Prometheus for all cases: no workers.
    return pytest("observe", ["-q", f"--godwit={EXECUTABLE}", "tests/observe"], 300)


def suite_kafka(jobs: int) -> Tally:
    tally = Tally()
    if not EXECUTABLE.is_file():
        tally.fail("kafka: build/test/bin/godwit was not built")
        return tally
    # Workers share one broker; cases mostly wait, for groups to come together and for sessions to end.
    return pytest("kafka", ["-q", "-n", str(min(jobs + 2, 6)), "--dist", "worksteal", f"--godwit={EXECUTABLE}",
                            "--shape=kafka", "tests/kafka", "tests/scenarios"], 900)


def suite_kafka_long(jobs: int) -> Tally:
    return pytest("kafka-long", ["-q", "-n", str(min(jobs, 4)), "--dist", "worksteal", f"--godwit={EXECUTABLE}",
                                 "--shape=kafka", "--long", "tests/scenarios"], 3600)


def suite_chaos(_: int) -> Tally:
    return pytest("chaos", ["-q", f"--godwit={EXECUTABLE}", "tests/cluster"], 900)


def suite_image(_: int) -> Tally:
    return pytest("image", ["-q", "tests/image"], 600)


def suite_kube(_: int) -> Tally:
    return pytest("kube", ["-q", f"--godwit={RELEASE}", "tests/kube"], 900)


SUITES: dict[str, Callable[[int], Tally]] = {
    "build": suite_build,
    "tree": suite_tree,
    "unit": suite_unit,
    "sanitizers": suite_sanitizers,
    "smoke": suite_smoke,
    "simulation": suite_simulation,
    "scenarios": suite_scenarios,
    "chart": suite_chart,
    "observe": suite_observe,
    "kafka": suite_kafka,
    "kafka-long": suite_kafka_long,
    "chaos": suite_chaos,
    "image": suite_image,
    "kube": suite_kube,
}


def processor_seconds() -> float:
    """Of everything that was run and waited for until now."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(name: str, seconds: float, processor: float | None, tally: Tally) -> bool:
    """Prints one suite; returns whether it was within its budget."""
    budget = BUDGET_MINUTES[name] * 60
    over = seconds > budget or (processor or 0) > budget * CORES_OF_BUDGET
    print(f"== {name:<11} {seconds:6.0f} s of {budget:4d} s  {f'{processor:6.0f}' if processor is not None else '     -'}"
          f" s of processors  {tally.passed:5d} passed {tally.failed:3d} failed{'  OVER BUDGET' if over else ''}",
          flush=True)
    for note in tally.notes:
        print("   " + note.replace("\n", "\n   "), flush=True)
    return not over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}; by default all but {', '.join(EXTRA)}")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--deps-seconds", type=float, help="how long installing took, to be printed")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")

    RESULTS.mkdir(parents=True, exist_ok=True)
    total = Tally()
    over = []
    if arguments.deps_seconds is not None and not report("deps", arguments.deps_seconds, None, Tally()):
        over.append("deps")
    asked = [name for name in SUITES if name in (arguments.suites or SUITES.keys() - EXTRA)]
    for name in asked:
        suite = SUITES[name]
        started, used = time.monotonic(), processor_seconds()
        tally = suite(arguments.jobs)
        if not report(name, time.monotonic() - started, processor_seconds() - used, tally):
            over.append(name)
        total.passed += tally.passed
        total.failed += tally.failed
    if over:
        print(f"over budget on this machine, {os.cpu_count()} processors: {', '.join(over)}", flush=True)
    line = f"{total.passed} passed, {total.failed} failed"
    SUMMARY.write_text(line + "\n")
    print(line, flush=True)
    has_cases = asked != ["build"]  # a suite without one did not run
    return 1 if total.failed or (has_cases and not total.passed) else 0


if __name__ == "__main__":
    sys.exit(main())
