"""A mail goes in by SMTP, through the log, and out by SMTP to a real server, and everything about it can be told.

The clients are swaks and Python's smtplib; the destinations are a real Postfix, Postfix's smtp-sink and aiosmtpd.
"""

import re

import pytest

from support.destinations import ScriptedServer, SmtpSink
from support.mail import Client, message, swaks
from support.postfix import PostfixServer
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long


def test_swaks_to_postfix(start_godwit, own, tmp_path) -> None:
    postfix = own(PostfixServer(tmp_path, "postfix.test"))
    godwit = start_godwit(to=postfix.address)

    sent = swaks(godwit.relay, "--header", "Subject: from swaks to Postfix", to="bob@postfix.test")

    assert sent.status == 0, sent.transcript
    assert sent.queued
    mails = wait_until(postfix.mails, 30, lambda: f"a mail in Postfix's mailbox: {postfix.log_text()}")
    assert len(mails) == 1
    assert b"\nSubject: from swaks to Postfix\n" in mails[0]
    assert b"\nThis is a test mailing\n" in mails[0]
    # RFC 5321 s4.4: our trace line, below Postfix's.
    assert re.search(rb"\nReceived: from client\.test \(.*127\.0\.0\.1.*\)\s+by \S+.*with ESMTP", mails[0]), mails[0]

    delivered = godwit.wait_for_event("delivered", message_id=sent.queued)
    assert delivered["recipient"] == "bob@postfix.test"
    assert delivered["sender"] == "ann@sender.test"
    assert delivered["attempt"] == 1
    assert delivered["tenant"] == "default"
    assert delivered["remote"]["address"].startswith("127.0.0.1")
    assert delivered["reply"]["code"] == 250
    assert "queued as" in delivered["reply"]["text"]
    assert [e["type"] for e in godwit.events()] == ["accepted", "routed", "delivered"]
    report = godwit.audit()
    assert report["clean"] and report["accepted"] == 1 and report["delivered"] == 1


@pytest.mark.kafka
def test_smtplib_to_smtp_sink(start_godwit, own, tmp_path) -> None:
    sink = own(SmtpSink(tmp_path))
    godwit = start_godwit(to=sink.address)

    with Client(godwit.relay) as client:
        ids = [client.submit(message(f"number {n}"), "ann@sender.test", f"bob{n}@example.test") for n in range(20)]

    assert len(set(ids)) == 20
    godwit.wait_until_ended(20)
    mails = wait_until(lambda: (m := sink.mails()) and len(m) >= 20 and m, 20, lambda: f"20 mails: {sink.mails()}")
    assert sorted(mail.subject for mail in mails) == sorted(f"number {n}" for n in range(20))
    assert godwit.endings() == {f"bob{n}@example.test": ["delivered"] for n in range(20)}


def test_content_arrives_unchanged(start_godwit, own) -> None:
    """Octet for octet: leading dots, 8-bit text, empty lines at the end, a body over one record's size."""
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    bodies = {
        "dots": ".\r\n..\r\n.leading\r\n...\r\n",
        "8bit": "Grüße aus Köln\r\n",
        "no body": "",
        "blank lines": "\r\n\r\n\r\n",
        "998 octets": "x" * 998 + "\r\n",
        "one MiB": ("y" * 76 + "\r\n") * 14_000,
    }

    with Client(godwit.relay) as client:
        for subject, body in bodies.items():
            client.submit(message(subject, body), "ann@sender.test", "bob@example.test", options=("BODY=8BITMIME",))

    godwit.wait_until_ended(len(bodies))
    arrived = {mail.subject: mail.content for mail in server.mails()}
    assert arrived.keys() == bodies.keys()
    for subject, body in bodies.items():
        _, _, content = arrived[subject].partition(b"\r\n\r\n")
        assert content == body.encode(), subject
        assert message(subject, body) in arrived[subject], "header fields are ours to add to, not to change"


def test_one_mail_for_several_domains(start_godwit, own) -> None:
    """Each recipient goes its own way, and the sender's mail stands in the log once."""
    one, other = own(ScriptedServer()), own(ScriptedServer())
    godwit = start_godwit(config={"sender": {"routes": [
        {"domain": "one.test", "to": one.address}, {"domain": "other.test", "to": other.address}]}})

    with Client(godwit.relay) as client:
        client.submit(message(), "ann@sender.test", "a@one.test", "b@other.test", "c@one.test")

    godwit.wait_until_ended(3)
    assert sorted(one.recipients()) == ["a@one.test", "c@one.test"]
    assert other.recipients() == ["b@other.test"]
    assert len(one.mails()) == 1, "recipients of one domain share a transaction"


def test_null_reverse_path(start_godwit, own) -> None:
    """A bounce message travels like any other mail, with its empty sender."""
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)

    with Client(godwit.relay) as client:
        client.submit(message("a bounce"), "", "bob@example.test")

    godwit.wait_until_ended(1)
    assert [mail.sender for mail in server.mails()] == [""]
