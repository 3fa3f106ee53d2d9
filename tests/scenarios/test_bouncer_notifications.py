"""Submitters who want to know are told (RFC 3461), in a form that machines read (RFC 3464); others are not."""

import email
import email.message
import email.policy

import pytest

from support.destinations import Script, ScriptedServer
from support.godwit import Godwit
from support.mail import Client, message, swaks
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

NOTIFYING = {"sender": {"notify": True}}
SUBMITTER = "ann@sender.test"


def refuses_nobody(recipient: str) -> str | None:
    return "550 5.1.1 no such user" if recipient.startswith("nobody") else None


def submit(godwit: Godwit, *recipients: tuple[str, tuple[str, ...]], sender: str = SUBMITTER,
           options: tuple[str, ...] = (), content: bytes | None = None) -> None:
    with Client(godwit.relay) as client:
        client.ehlo()
        assert client.mail(sender, options)[0] == 250
        for recipient, parameters in recipients:
            assert client.rcpt(recipient, parameters)[0] == 250
        assert client.data(content or message())[0] == 250


def notifications(server: ScriptedServer) -> list[email.message.EmailMessage]:
    """What came to the submitter."""
    return [email.message_from_bytes(mail.content, policy=email.policy.default)
            for mail in server.mails() if mail.recipients == (SUBMITTER,)]


def the_notification(server: ScriptedServer) -> email.message.EmailMessage:
    found = wait_until(lambda: notifications(server), 30, "a notification")
    assert len(found) == 1
    return found[0]


def parts_of(dsn: email.message.EmailMessage) -> tuple[email.message.Message, ...]:
    """Text, the block of the message, the block of the recipient, what is returned; RFC 3464's structure on the way."""
    assert dsn.get_content_type() == "multipart/report"
    assert dsn.get_param("report-type") == "delivery-status"
    assert dsn["Auto-Submitted"] == "auto-replied"
    assert dsn.defects == []
    text, status, *returned = dsn.get_payload()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    of_message, *of_recipients = status.get_payload()
    assert of_message["Reporting-MTA"].startswith("dns;")
    assert len(of_recipients) == 1 and len(returned) == 1
    return text, of_message, of_recipients[0], returned[0]


@pytest.mark.kafka
def test_a_failure_is_told_with_all_that_was_asked_for(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=refuses_nobody)))
    godwit = start_godwit(to=server.address, config=NOTIFYING)

    submit(godwit, ("nobody@example.test", ("NOTIFY=FAILURE", "ORCPT=rfc822;first+2Bone@example.test")),
           options=("RET=HDRS", "ENVID=QQ+2B314"), content=message(subject="remember me"))

    dsn = the_notification(server)
    assert next(mail for mail in server.mails() if mail.recipients == (SUBMITTER,)).sender == ""
    text, of_message, of_recipient, returned = parts_of(dsn)
    assert "no such user" in text.get_content()
    assert of_message["Original-Envelope-Id"] == "QQ+314"
    assert of_message["Arrival-Date"]
    assert of_recipient["Final-Recipient"] == "rfc822; nobody@example.test"
    assert of_recipient["Original-Recipient"] == "rfc822; first+one@example.test"
    assert of_recipient["Action"] == "failed"
    assert of_recipient["Status"] == "5.1.1"
    assert of_recipient["Remote-MTA"].startswith("dns; ")
    assert of_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert of_recipient["Last-Attempt-Date"]
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: remember me" in returned.get_payload()

    # The notification is a message with an id and an ending of its own.
    wait_until(lambda: len([e for e in godwit.events() if e["type"] == "delivered"]) == 1, 30, "its delivery")
    report = godwit.audit()
    assert report["clean"] and report["bounced"] == 1 and report["delivered"] == 1


def test_who_asks_for_nothing_is_told_of_failures(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=refuses_nobody)))
    godwit = start_godwit(to=server.address, config=NOTIFYING)
    assert swaks(godwit.relay, to="nobody@example.test,bob@example.test").queued
    _, _, of_recipient, _ = parts_of(the_notification(server))
    assert of_recipient["Final-Recipient"] == "rfc822; nobody@example.test"


def test_ret_full_returns_the_message(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=refuses_nobody)))
    godwit = start_godwit(to=server.address, config=NOTIFYING)
    submit(godwit, ("nobody@example.test", ()), options=("RET=FULL",), content=message(body=".the body\r\n"))
    *_, returned = parts_of(the_notification(server))
    assert returned.get_content_type() == "message/rfc822"
    assert returned.get_payload(0).get_content().splitlines() == [".the body"]


def test_success_is_told_where_the_next_host_cannot(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=NOTIFYING)
    submit(godwit, ("bob@example.test", ("NOTIFY=SUCCESS,FAILURE",)), ("eve@example.test", ("NOTIFY=FAILURE",)))
    _, _, of_recipient, returned = parts_of(the_notification(server))
    assert of_recipient["Final-Recipient"] == "rfc822; bob@example.test"
    assert of_recipient["Action"] == "relayed"
    assert of_recipient["Status"] == "2.0.0"
    assert returned.get_content_type() == "text/rfc822-headers"


def test_delay_is_told_once(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda to: "450 4.2.1 not now" if to.startswith("slow") else None)))
    retry = {"first": "1s", "factor": 1, "max": "1s", "age": "5d"}
    godwit = start_godwit(to=server.address,
                          config={"sender": {"notify": True, "delay_notice": "0s", "retry": retry}})
    submit(godwit, ("slow@example.test", ("NOTIFY=DELAY",)))
    _, _, of_recipient, _ = parts_of(the_notification(server))
    assert of_recipient["Action"] == "delayed"
    assert of_recipient["Status"] == "4.2.1"
    assert of_recipient["Will-Retry-Until"]
    wait_until(lambda: len([e for e in godwit.events() if e["type"] == "deferred"]) >= 3, 30, "more attempts")
    assert len(notifications(server)) == 1


def test_what_expires_is_told(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda to: "450 4.2.1 not now" if to.startswith("slow") else None)))
    retry = {"first": "1s", "factor": 1, "max": "1s", "age": "2s"}
    godwit = start_godwit(to=server.address, config={"sender": {"notify": True, "retry": retry}})
    submit(godwit, ("slow@example.test", ()), content=message(subject="too late"))
    _, _, of_recipient, returned = parts_of(the_notification(server))
    assert of_recipient["Action"] == "failed"
    assert of_recipient["Status"] == "4.4.7"
    assert "Subject: too late" in returned.get_payload()


def test_some_are_never_told(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=refuses_nobody)))
    godwit = start_godwit(to=server.address, config=NOTIFYING)
    failing = ("nobody@example.test", ())
    submit(godwit, failing, sender="")  # bounces are not bounced
    submit(godwit, ("nobody@example.test", ("NOTIFY=NEVER",)))
    submit(godwit, ("nobody@example.test", ("NOTIFY=SUCCESS",)))
    submit(godwit, ("bob@example.test", ()))  # and nobody is told of what nobody asked
    wait_until(lambda: len([e for e in godwit.events() if e["type"] == "bounced"]) == 3, 30, "three bounces")
    # One that is told, behind those that are not: what was to come has come.
    submit(godwit, failing, content=message(subject="the one"))
    *_, returned = parts_of(the_notification(server))
    assert "Subject: the one" in returned.get_payload()


def test_a_tenant_may_want_none(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=refuses_nobody)))
    godwit = start_godwit(to=server.address, config=NOTIFYING,
                          control={"tenants": [{"name": "default", "dsn": False}]})
    submit(godwit, ("nobody@example.test", ("NOTIFY=FAILURE",)))
    godwit.wait_for_event("bounced")
    godwit.terminate()
    godwit.start()  # whatever was under way is done
    assert [e["type"] for e in godwit.events()].count("accepted") == 1


def test_a_notification_that_fails_ends_there(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda _: "550 5.1.1 no such user")))
    godwit = start_godwit(to=server.address, config=NOTIFYING)
    submit(godwit, ("nobody@example.test", ()))
    wait_until(lambda: len([e for e in godwit.events() if e["type"] == "bounced"]) == 2, 30, "both have bounced")
    report = godwit.audit()
    assert report["clean"] and report["bounced"] == 2


def test_a_crash_doubles_nothing(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=refuses_nobody)))
    godwit = start_godwit(to=server.address, config=NOTIFYING)
    for number in range(20):
        submit(godwit, ("nobody@example.test", ()), content=message(subject=f"mail {number}"))
        if number == 10:
            godwit.kill()
            godwit.start()

    def accepted() -> list[str]:
        return [e["id"] for e in godwit.events() if e["type"] == "accepted" and e["recipient"] == SUBMITTER]
    wait_until(lambda: len(accepted()) >= 20, 60, "a notification for each")
    wait_until(lambda: godwit.audit()["delivered"] == 20, 60, "each delivered")
    assert len(accepted()) == 20
    assert godwit.audit()["clean"]
