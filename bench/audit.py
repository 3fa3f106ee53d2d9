"""How long `godwit audit` takes and what memory, at a number of recipients: on the embedded log of one process.

    .venv/bin/python bench/audit.py GODWIT --recipients 10000000

Messages of 100 recipients each, ten in each of ten domains, go through ingress, router and sender to
`godwit bench sink`. Then the process is ended, and the audit reads what it left. Printed are seconds, recipients a
second, and the peak of the audit's resident memory.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.bench import BenchSink  # noqa: E402
from support.godwit import Godwit  # noqa: E402
from support.waiting import wait_until  # noqa: E402

RECIPIENTS_OF_MESSAGE = 100
DOMAINS = 10
NO_LIMITS = {"shaping": [{"default": True, "connection_limit": 50, "max_message_rate": "100000/s",
                          "max_recipients_per_batch": RECIPIENTS_OF_MESSAGE}]}


def audit(node: Godwit) -> tuple[dict[str, int], float, int]:
    """The report, seconds, and octets of peak resident memory."""
    begun = time.monotonic()
    process = subprocess.Popen([str(node.executable), "audit", "-c", str(node.config_file), "--json", "--quiet"],
                               stdout=subprocess.PIPE, cwd=node.directory)
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return report, time.monotonic() - begun, usage.ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("godwit", type=Path, help="the executable (build/release/bin/godwit)")
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, default=ROOT / "build/bench", help="where the log is")
    arguments = parser.parse_args()
    executable = arguments.godwit.resolve()
    messages = arguments.recipients // RECIPIENTS_OF_MESSAGE
    arguments.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="audit-", dir=arguments.directory) as top, \
            contextlib.closing(BenchSink(executable, Path(top))) as sink:
        config = {"sender": {"routes": [{"domain": "*", "to": sink.address}]}}
        with contextlib.closing(Godwit(executable, Path(top) / "node", config, NO_LIMITS)) as node:
            node.start()
            begun = time.monotonic()
            subprocess.run([executable, "bench", "source", "--to", "{}:{}".format(*node.relay), "--messages", str(messages),
                            "--recipients", str(RECIPIENTS_OF_MESSAGE), "--connections", "20", "--size", "2KiB",
                            "--pipelining", "ahead", "--domain-count", str(DOMAINS)],
                           stdout=subprocess.DEVNULL, check=True)
            wanted = messages * RECIPIENTS_OF_MESSAGE
            wait_until(lambda: node.metric("godwit_sender_recipients_total") >= wanted,
                       3600, "every recipient is delivered")
            print(f"{wanted:,} recipients accepted and delivered in {time.monotonic() - begun:.0f} s")
            assert node.terminate() == 0
            report, seconds, memory = audit(node)
    assert report["clean"] and report["delivered"] == wanted, report
    print(f"audit: {seconds:.1f} s, {wanted / seconds:,.0f} recipients/s, {memory / 2**20:,.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
