"""Retries survive a restart: the counts go on, the due times stand, nothing is tried sooner for it."""

from operator import methodcaller

import pytest

from support.destinations import Script, ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long


@pytest.mark.parametrize("end", [methodcaller("terminate"), methodcaller("kill")], ids=["terminated", "killed"])
def test_attempts_go_on_counting(start_godwit, own, end) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda _: "450 4.2.0 later")))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": {
        "first": "2s", "factor": 1, "max": "2s", "age": "5d"}}})
    with Client(godwit.relay) as client:
        client.submit(message("patience"))
    godwit.wait_for_event("deferred", attempt=2)

    end(godwit)
    godwit.start()

    godwit.wait_for_event("deferred", attempt=3)
    server.script.rcpt = lambda _: None
    delivered = godwit.wait_for_event("delivered")
    assert delivered["attempt"] >= 4
    attempts = [e["attempt"] for e in godwit.events() if e["type"] == "deferred"]
    assert sorted(set(attempts)) == list(range(1, delivered["attempt"])), "no attempt was counted twice or left out"
    assert [mail.subject for mail in server.mails()] == ["patience"], "the content of parked mail survives"


@pytest.mark.kafka
def test_due_times_stand(start_godwit, own) -> None:
    tried = 0

    def later(_: str) -> str:
        nonlocal tried
        tried += 1
        return "450 4.2.0 later"

    server = own(ScriptedServer(Script(rcpt=later)))
    godwit = start_godwit(to=server.address)  # the next attempt is an hour away
    with Client(godwit.relay) as client:
        for n in range(20):
            client.submit(message(), "ann@sender.test", f"u{n}@example.test")
    wait_until(lambda: godwit.audit()["pending_parked"] == 20, 60, "20 parked recipients")
    before = {e["recipient"]: e["due"] for e in godwit.events() if e["type"] == "deferred"}
    assert len(before) == 20 and tried == 20

    assert godwit.terminate() == 0
    godwit.start()

    # Mail accepted now is tried, and that took longer than looking at the parked would have.
    with Client(godwit.relay) as client:
        client.submit(message(), "ann@sender.test", "new@example.test")
    godwit.wait_for_event("deferred", recipient="new@example.test")
    assert tried == 21
    assert godwit.audit()["pending_parked"] == 21
