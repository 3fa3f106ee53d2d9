"""Mail that never gets through ends after its age, not sooner and not later, and says why."""

import pytest

from support.destinations import Script, ScriptedServer
from support.mail import Client, message

pytestmark = pytest.mark.kafka_long


@pytest.mark.kafka
def test_expire(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda _: "450 4.2.1 never today")))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": {
        "first": "200ms", "factor": 1, "max": "200ms", "age": "4s"}}})

    with Client(godwit.relay) as client:
        client.submit(message())

    expired = godwit.wait_for_event("expired", 60)
    events = godwit.events()
    deferred = [e for e in events if e["type"] == "deferred"]
    assert len(deferred) >= 2, "it was tried more than once before it was given up"
    assert expired["queued_ms"] >= 4000
    assert expired["recipient"] == "bob@example.test"
    # What the destination said last is what the submitter wants to know.
    assert expired["reply"]["code"] == 450
    assert "never today" in expired["reply"]["text"]
    report = godwit.audit()
    assert report["clean"] and report["expired"] == 1
    assert server.mails() == []
