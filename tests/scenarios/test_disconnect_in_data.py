"""A connection that dies in the middle of a mail: nothing half is accepted, and nothing half counts as delivered."""

import pytest

from support.destinations import SmtpSink
from support.godwit import HASTY
from support.mail import Client, Conversation, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long


def begin(client: Conversation) -> None:
    assert client.ask("EHLO client.test").startswith("250")
    assert client.ask("MAIL FROM:<ann@sender.test>").startswith("250")
    assert client.ask("RCPT TO:<bob@example.test>").startswith("250")
    assert client.ask("DATA").startswith("354")
    client.send(b"Subject: half\r\n\r\nThis line is whole.\r\nThis one is n")


@pytest.mark.kafka
def test_client_goes_away_in_data(start_godwit, own, tmp_path) -> None:
    sink = own(SmtpSink(tmp_path))
    godwit = start_godwit(to=sink.address)
    for leave in (Conversation.close, Conversation.abort):
        client = Conversation(godwit.relay)
        begin(client)
        leave(client)

    # What comes after is accepted; by then the halves would have been, too.
    with Client(godwit.relay) as client:
        client.submit(message("whole"))
    report = godwit.wait_until_ended(1)
    assert report["accepted"] == 1
    wait_until(sink.mails, 10, "the whole mail")
    assert [mail.subject for mail in sink.mails()] == ["whole"]


def test_client_goes_away_in_a_chunk(start_godwit, own, tmp_path) -> None:
    sink = own(SmtpSink(tmp_path))
    godwit = start_godwit(to=sink.address)
    with Conversation(godwit.relay) as client:
        assert "CHUNKING" in client.ask("EHLO client.test")
        assert client.ask("MAIL FROM:<ann@sender.test>").startswith("250")
        assert client.ask("RCPT TO:<bob@example.test>").startswith("250")
        client.send(b"BDAT 1000 LAST\r\nSubject: half\r\n\r\n")

    with Client(godwit.relay) as client:
        client.submit(message("whole"))
    assert godwit.wait_until_ended(1)["accepted"] == 1


def test_destination_goes_away_in_data(start_godwit, own, tmp_path) -> None:
    """smtp-sink hangs up when it hears DATA: the mail is deferred, and the outcome is known."""
    port = (broken := SmtpSink(tmp_path, "-q", "DATA", name="broken")).port
    own(broken)
    godwit = start_godwit(to=broken.address, config={"sender": {"retry": HASTY}})

    with Client(godwit.relay) as client:
        client.submit(message("patience"))
    deferred = godwit.wait_for_event("deferred", attempt=1)
    assert deferred.get("outcome") != "unknown", "before the final dot nothing was delivered, and that is known"
    broken.close()
    sink = own(SmtpSink(tmp_path, port=port))

    godwit.wait_until_ended(1)
    wait_until(sink.mails, 10, "the mail at smtp-sink")
    assert len(sink.mails()) == 1
