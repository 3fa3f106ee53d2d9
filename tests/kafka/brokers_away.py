"""Memory, readiness and answers while the broker is away for a minute under load, and how it goes on. Not part of CI.

    .venv/bin/python tests/kafka/brokers_away.py build/test/bin/godwit
"""

import smtplib
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.godwit import Godwit  # noqa: E402
from support.kafka import KafkaCluster  # noqa: E402
from support.waiting import wait_until  # noqa: E402

CLIENTS = 16
AWAY_SECONDS = 60
GROWTH_MIB_MAX = 32
BODY = "Subject: x\r\n\r\n" + ("y" * 70 + "\r\n") * 1400  # 100 kB


def resident_mib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


def ready(godwit: Godwit) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{godwit.observe_port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def main() -> int:
    directory = Path(tempfile.mkdtemp(prefix="brokers-away-"))
    cluster = KafkaCluster(directory / "kafka")
    godwit = Godwit(Path(sys.argv[1]).resolve(), directory / "godwit", {
        "node": "one", "sender": {"routes": [{"domain": "*", "to": "capture"}]},
        "log": {"kind": "kafka", "kafka": {"brokers": [cluster.bootstrap], "partitions": 4, "replication": 1,
                                           "min_insync_replicas": 1, "session_timeout": "6s", "lease": "3s"}}})
    answers: Counter[int] = Counter()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                with smtplib.SMTP(*godwit.relay, timeout=60) as client:
                    client.sendmail("ann@sender.test", ["bob@example.test"], BODY)
                    answers[250] += 1
            except smtplib.SMTPResponseException as error:
                answers[error.smtp_code] += 1

    try:
        cluster.start()
        godwit.start()
        pid = int(godwit.command("ctl", "info", "-c", godwit.config_file, "--json").stdout.split('"pid":')[1].split(",")[0].strip(" }\n"))
        clients = [threading.Thread(target=load, daemon=True) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(5)
        before = resident_mib(pid)
        print(f"with a broker: {dict(answers)}, {before} MiB", flush=True)
        cluster.kill(0)
        time.sleep(2)
        answers.clear()
        away = time.monotonic()
        worst = 0
        while time.monotonic() - away < AWAY_SECONDS:
            time.sleep(5)
            worst = max(worst, resident_mib(pid))
            print(f"{time.monotonic() - away:5.1f} s without: {dict(answers)}, {resident_mib(pid)} MiB", flush=True)
        assert set(answers) == {451}, answers
        assert worst <= before + GROWTH_MIB_MAX, f"{before} MiB before, {worst} without a broker"
        assert not ready(godwit)
        cluster.start_broker(0)
        cluster.wait_complete()
        back = time.monotonic()
        wait_until(lambda: ready(godwit), 60, "readiness")
        print(f"ready {time.monotonic() - back:.1f} s after the broker is back, {resident_mib(pid)} MiB", flush=True)
        over.set()
        for client in clients:
            client.join()
        assert answers[250] > 0, answers
        assert godwit.terminate() == 0
        return 0
    finally:
        over.set()
        godwit.close()
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
