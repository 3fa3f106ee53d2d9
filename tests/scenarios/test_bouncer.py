"""What comes back becomes an event of the recipient it is about; what nobody signed does not come in."""

import re
import smtplib
from pathlib import Path

import pytest

from support.addresses import free_port
from support.destinations import ScriptedServer
from support.godwit import RELAY, Godwit
from support.mail import Client, message
from support.postfix import PostfixServer
from support.waiting import wait_until

RETURN_ADDRESS = re.compile(r"b\+[a-z2-7]{60}@bounces\.test")
ACME = {"tenants": [{"name": "acme", "domains": [
    {"name": "acme.test", "verified": True, "return_path": "bounce.acme.test"}]}]}

DSN = """\
From: MAILER-DAEMON@mx.example.test\r
To: {to}\r
Subject: Undelivered Mail Returned to Sender\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
\r
Sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.test\r
\r
Final-Recipient: rfc822; bob@example.test\r
Action: {action}\r
Status: {status}\r
Diagnostic-Code: smtp; 552 5.2.2 mailbox full\r
\r
--b--\r
"""


def bounces(inbound_port: int = 0, **more: object) -> dict[str, object]:
    """A configuration whose mail all leaves with return addresses at bounces.test, and that takes them."""
    inbound = {"listen": f"127.0.0.1:{inbound_port}", "kind": "inbound"}
    return {"ingress": {"smtp": [RELAY, inbound]}, "bounce": {"domain": "bounces.test", "return_path": True}, **more}


def come_back(godwit: Godwit, to: str, content: str) -> None:
    with smtplib.SMTP(*godwit.address("smtp.inbound"), timeout=30) as client:
        client.sendmail("", [to], content)


@pytest.mark.kafka_long
def test_a_real_postfix_bounces_after_it_took_the_mail(start_godwit, own, tmp_path: Path) -> None:
    inbound = free_port()
    postfix = own(PostfixServer(tmp_path, "example.test", settings=f"""\
smtpd_reject_unlisted_recipient = no
virtual_transport = error:5.1.1 there is no such mailbox
relayhost = [127.0.0.1]:{inbound}
disable_dns_lookups = yes
"""))
    godwit = start_godwit(to=postfix.address, config=bounces(inbound))

    with Client(godwit.relay) as client:
        message_id = client.submit(message())

    godwit.wait_for_event("delivered", message_id=message_id)
    late = godwit.wait_for_event("bounced", message_id=message_id)
    assert late["late"] is True
    assert late["id"] == f"{message_id}/0/bounced/0"
    assert late["recipient"] == "bob@example.test"
    assert late["reply"]["enhanced"] == "5.1.1"
    assert late["class"] == "bad-mailbox"
    assert late["tenant"] == "default"
    report = godwit.audit()
    assert report["clean"] and report["delivered"] == 1 and report["bounced"] == 0


@pytest.mark.kafka
def test_each_recipient_has_an_address_of_its_own(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=bounces())

    with Client(godwit.relay) as client:
        message_id = client.submit(message(), "ann@sender.test", "bob@example.test", "eve@example.test")
    mails = wait_until(lambda: len(server.mails()) == 2 and server.mails(), 30, "two transactions")

    senders = {mail.recipients: mail.sender for mail in mails}
    assert set(senders) == {("bob@example.test",), ("eve@example.test",)}
    assert all(RETURN_ADDRESS.fullmatch(sender) for sender in senders.values())
    assert len(set(senders.values())) == 2
    # Events go on to name the sender the mail came with.
    assert godwit.wait_for_event("delivered", message_id=message_id)["sender"] == "ann@sender.test"

    to = senders["eve@example.test",]
    come_back(godwit, to.upper(), DSN.format(to=to, action="failed", status="5.2.2"))
    late = godwit.wait_for_event("bounced", message_id=message_id)
    assert late["index"] == 1 and late["late"] is True and late["class"] == "quota-issues"


@pytest.mark.kafka_long
def test_the_null_sender_stays_null_and_return_paths_are_those_of_their_domain(start_godwit, own) -> None:
    server = own(ScriptedServer())
    config = {"ingress": {"smtp": [{**RELAY, "tenant": "acme"}, {"listen": "127.0.0.1:0", "kind": "inbound"}]}}
    godwit = start_godwit(to=server.address, config=config, control=ACME)

    with Client(godwit.relay) as client:
        content = message(sender="news@acme.test")
        client.submit(content, "news@acme.test")
        client.submit(content, "")
    mails = wait_until(lambda: len(server.mails()) == 2 and server.mails(), 30, "two mails")

    assert sorted(mail.sender.partition("@")[2] for mail in mails) == ["", "bounce.acme.test"]
    to = next(mail.sender for mail in mails if mail.sender)
    come_back(godwit, to, DSN.format(to=to, action="failed", status="5.1.1"))
    assert godwit.wait_for_event("bounced")["tenant"] == "acme"


@pytest.mark.kafka_long
def test_what_is_no_failure_leaves_no_event(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=bounces())
    with Client(godwit.relay) as client:
        client.submit(message())
    to = wait_until(lambda: server.mails(), 30, "the mail")[0].sender

    come_back(godwit, to, DSN.format(to=to, action="delayed", status="4.2.2"))
    come_back(godwit, to, f"From: bob@example.test\r\nTo: {to}\r\nSubject: Automatic reply: hi\r\n\r\nAway.\r\n")
    come_back(godwit, "postmaster@bounces.test", "From: eve@example.test\r\nSubject: hello\r\n\r\nHi.\r\n")

    wait_until(lambda: godwit.metric("godwit_bouncer_reports_total") == 3, 30, "three reports read")
    assert [event for event in godwit.events() if event["type"] == "bounced"] == []
    # It was understood as bad news only once it is.
    come_back(godwit, to, DSN.format(to=to, action="failed", status="5.2.2"))
    assert godwit.wait_for_event("bounced")["late"] is True


@pytest.mark.kafka_long
def test_forged_addresses_are_refused(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=bounces())
    with Client(godwit.relay) as client:
        client.submit(message())
    genuine = wait_until(lambda: server.mails(), 30, "the mail")[0].sender
    local, _, domain = genuine.partition("@")
    changed = local[:40] + ("a" if local[40] != "a" else "b") + local[41:]

    with smtplib.SMTP(*godwit.address("smtp.inbound"), timeout=30) as client:
        client.ehlo("mx.example.test")
        client.mail("")
        for address, code, enhanced in [(f"{changed}@{domain}", 550, b"5.7.1"),
                                        (f"{local}x@{domain}", 550, b"5.1.1"),
                                        (f"anybody@{domain}", 550, b"5.1.1"),
                                        ("bob@example.test", 550, b"5.7.1")]:
            answer = client.rcpt(address)
            assert answer[0] == code and answer[1].startswith(enhanced), (address, answer)
        for address in (genuine, f"postmaster@{domain}", f"Abuse@{domain}"):
            assert client.rcpt(address)[0] == 250, address


def test_keys_survive_a_restart(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=bounces())
    with Client(godwit.relay) as client:
        message_id = client.submit(message())
    to = wait_until(lambda: server.mails(), 30, "the mail")[0].sender
    keys = godwit.directory / "data" / "return_keys"
    assert keys.stat().st_mode & 0o777 == 0o600

    godwit.kill()
    godwit.start()
    come_back(godwit, to, DSN.format(to=to, action="failed", status="5.2.2"))
    assert godwit.wait_for_event("bounced", message_id=message_id)["late"] is True
    assert godwit.audit()["clean"]


@pytest.mark.kafka_long
def test_a_complaint_is_an_event(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=bounces())
    with Client(godwit.relay) as client:
        message_id = client.submit(message())
    sender = wait_until(lambda: server.mails(), 30, "the mail")[0].sender

    come_back(godwit, "abuse@bounces.test", f"""\
From: fbl@example.test\r
Subject: complaint\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=feedback-report; boundary="f"\r
\r
--f\r
\r
A report.\r
--f\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: abuse\r
Version: 1\r
User-Agent: test/1\r
Original-Mail-From: <{sender}>\r
Original-Rcpt-To: <bob@example.test>\r
\r
--f--\r
""")
    complained = godwit.wait_for_event("complained", message_id=message_id)
    assert complained["recipient"] == "bob@example.test"
    assert godwit.audit()["clean"]


@pytest.mark.parametrize(("bounce", "names"), [
    ({"return_path": True}, "bounce.return_path"),
    ({"domain": "no domain"}, "bounce.domain"),
])
def test_configuration_errors(make_godwit, bounce: dict[str, object], names: str) -> None:
    godwit = make_godwit(config={"bounce": bounce})
    done = godwit.command("check", "-c", godwit.config_file)
    assert done.returncode == 1 and names in done.stdout + done.stderr


def test_a_key_file_that_is_not_there_is_an_error_of_the_start(make_godwit) -> None:
    godwit = make_godwit(config={"bounce": {"key_file": "missing"}})
    done = godwit.command("run", "-c", godwit.config_file)
    assert done.returncode == 3 and "missing" in done.stderr

