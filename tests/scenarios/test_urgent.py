"""A password reset does not wait behind a campaign: urgent mail has topics of its own and goes first everywhere."""

import time
from datetime import datetime

import pytest

from support.bench import BenchSink
from support.destinations import ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

BULK = 100_000
URGENT = 100
BULK_PER_SECOND = 500
SHAPING = {"shaping": [{"default": True, "max_message_rate": f"{BULK_PER_SECOND}/s"}]}


URGENT_MAIL = message("reset", extra="X-Godwit-Class: urgent\r\n")


@pytest.mark.timeout(400)
def test_first_attempt_within_a_second(make_godwit, own, executable, tmp_path) -> None:
    """The same tenant, site and pool; 100,000 messages accepted before it and not yet routed, and its window full."""
    sink = own(BenchSink(executable, tmp_path))
    node = make_godwit({"sender": {"routes": [{"domain": "*", "to": sink.address}]}}, SHAPING)
    node.options = ("--roles=ingress",)
    node.start()
    host, port = node.relay
    done = node.command("bench", "source", "--to", f"{host}:{port}", "--messages", str(BULK), "--connections", "50",
                        "--size", "1024", "--pipelining", "ahead", "--domains", "example.test", "--threads", "1",
                        seconds=200)
    assert done.returncode == 0, done.stderr
    assert node.terminate() == 0

    node.options = ()
    node.start()
    acknowledged: dict[str, float] = {}
    with Client(node.relay) as client:
        for n in range(URGENT):
            recipient = f"urgent{n}@example.test"
            client.submit(URGENT_MAIL, "ann@sender.test", recipient)
            acknowledged[recipient] = time.time()

    arrived: dict[str, float] = {}
    bulk = 0

    def all_there() -> bool:
        nonlocal bulk
        bulk = 0
        for line in sink.ledger():
            recipient = line["recipients"][0]
            if recipient in acknowledged:
                arrived[recipient] = datetime.fromisoformat(line["time"]).timestamp()
            else:
                bulk += 1
        return len(arrived) == URGENT

    wait_until(all_there, 60, lambda: f"{URGENT} urgent mails at the sink: {len(arrived)}")
    assert bulk < BULK / 2, "the campaign was still standing in line"
    waits = sorted(arrived[recipient] - acknowledged[recipient] for recipient in acknowledged)
    assert waits[URGENT * 99 // 100 - 1] < 1.0, f"p99 of the waits: {waits[-10:]}"


def test_the_field_is_for_godwit_alone(start_godwit, own) -> None:
    server = own(ScriptedServer())
    node = start_godwit(to=server.address)
    with Client(node.relay) as client:
        client.submit(URGENT_MAIL, "ann@sender.test", "bob@example.test")
    node.wait_for_event("delivered")
    mail = server.mails()[0]
    assert mail.subject == "reset"
    assert b"x-godwit" not in mail.content.lower()
