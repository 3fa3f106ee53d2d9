"""How long urgent mail waits behind bulk mail that came before it."""

import time
from dataclasses import dataclass
from datetime import datetime

from support.bench import BenchSink
from support.godwit import Godwit
from support.mail import Client, message
from support.waiting import wait_until

URGENT_MAIL = message("reset", extra="X-Godwit-Class: urgent\r\n")
# The lane is so slow that its window stays full and most of the bulk mail is still waiting when the measurement ends.
SHAPING = {"shaping": [{"default": True, "max_message_rate": "500/s"}]}


@dataclass
class Overtaking:
    waits: list[float]  # seconds from the 250 to the end of the first attempt, ascending
    bulk_delivered: int  # when the last urgent mail had come

    def p99(self) -> float:
        return self.waits[len(self.waits) * 99 // 100 - 1]


def measure_overtaking(node: Godwit, sink: BenchSink, bulk: int, urgent: int, seconds: float) -> Overtaking:
    """Has `bulk` messages accepted while nothing routes them; then starts the other roles and, once the first of them
    are delivered, sends `urgent` more to the same site, one after the other. `node` delivers to `sink`, has SHAPING, and is
    not running."""
    node.options = ("--roles=ingress",)
    node.start()
    host, port = node.relay
    done = node.command("bench", "source", "--to", f"{host}:{port}", "--messages", str(bulk), "--connections", "50",
                        "--size", "1024", "--pipelining", "ahead", "--domains", "example.test", "--threads", "1",
                        seconds=seconds)
    assert done.returncode == 0, done.stderr
    assert node.terminate() == 0

    node.options = ()
    node.start()
    wait_until(sink.ledger, 60, "the campaign begins")
    acknowledged: dict[str, float] = {}
    with Client(node.relay) as client:
        for n in range(urgent):
            recipient = f"urgent{n}@example.test"
            client.submit(URGENT_MAIL, "ann@sender.test", recipient)
            acknowledged[recipient] = time.time()

    waits: dict[str, float] = {}
    delivered = 0

    def all_there() -> bool:
        nonlocal delivered
        delivered = 0
        for line in sink.ledger():
            recipient = line["recipients"][0]
            if recipient in acknowledged:
                waits[recipient] = datetime.fromisoformat(line["time"]).timestamp() - acknowledged[recipient]
            else:
                delivered += 1
        return len(waits) == urgent

    wait_until(all_there, 60, lambda: f"{urgent} urgent mails at the sink: {len(waits)}")
    return Overtaking(sorted(waits.values()), delivered)
