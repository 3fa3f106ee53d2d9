"""A destination that says "never" ends the recipient at once, with its own words in the event."""

import pytest

from support.destinations import Script, ScriptedServer, SmtpSink
from support.godwit import HASTY
from support.mail import Client, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

STAGES = {
    "mail": (Script(mail=lambda _: "550 5.1.8 we know that sender"), 550, "5.1.8", "we know that sender"),
    "rcpt": (Script(rcpt=lambda _: "550 5.1.1 no such user here"), 550, "5.1.1", "no such user here"),
    "dot": (Script(data=lambda _: "554 5.7.1 spam"), 554, "5.7.1", "spam"),
}


@pytest.mark.parametrize(("script", "code", "enhanced", "text"), STAGES.values(), ids=STAGES.keys())
def test_bounce(start_godwit, own, script: Script, code: int, enhanced: str, text: str) -> None:
    server = own(ScriptedServer(script))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": HASTY}})

    with Client(godwit.relay) as client:
        message_id = client.submit(message())

    bounced = godwit.wait_for_event("bounced", message_id=message_id)
    assert bounced["attempt"] == 1
    assert bounced["recipient"] == "bob@example.test"
    assert bounced["reply"]["code"] == code
    assert bounced["reply"]["enhanced"] == enhanced
    assert text in bounced["reply"]["text"]
    report = godwit.audit()
    assert report["clean"] and report["bounced"] == 1
    assert server.mails() == []


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_bounce_by_smtp_sink(start_godwit, own, tmp_path, command: str) -> None:
    sink = own(SmtpSink(tmp_path, "-f", command))
    godwit = start_godwit(to=sink.address)

    with Client(godwit.relay) as client:
        client.submit(message())

    bounced = godwit.wait_for_event("bounced")
    assert bounced["reply"]["code"] == 500
    assert bounced["reply"]["enhanced"] == "5.3.0"


@pytest.mark.kafka
def test_a_refused_connection_is_not_the_end(start_godwit, own) -> None:
    """RFC 5321 s4.2.1: the other side may be mended; 554 in the greeting concerns the host, not the recipient."""
    server = own(ScriptedServer(Script(mail=lambda _: "421 4.3.2 shutting down")))
    godwit = start_godwit(to=server.address)

    with Client(godwit.relay) as client:
        client.submit(message())

    assert godwit.wait_for_event("deferred")["reply"]["code"] == 421
    assert wait_until(lambda: godwit.audit()["pending_parked"] == 1, 20, "a parked recipient")
