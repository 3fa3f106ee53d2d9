"""A limit of size is announced, kept, and told before the content travels where the client says how much it has."""

import smtplib

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, Conversation, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

LIMIT = 100_000


def test_what_we_accept(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config={"ingress": {"max_message_bytes": LIMIT}})
    with Client(godwit.relay) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == str(LIMIT)
        # Announced: refused before DATA.
        assert client.mail("ann@sender.test", [f"SIZE={LIMIT + 1}"])[0] == 552
        # Not announced: refused after the dot, and the session goes on.
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            client.submit(message(body=("x" * 70 + "\r\n") * (LIMIT // 72 + 1)))
        assert refusal.value.smtp_code == 552
        assert refusal.value.smtp_error.startswith(b"5.3.4")
        client.submit(message("just right", body=("x" * 70 + "\r\n") * 1000))
    assert godwit.wait_until_ended(1)["accepted"] == 1


def test_what_the_destination_accepts(start_godwit, own) -> None:
    """RFC 1870 s6.1: a mail over the destination's SIZE bounces without travelling."""
    server = own(ScriptedServer(size_limit=10_000))
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        client.submit(message("large", body=("x" * 70 + "\r\n") * 1000))
        client.submit(message("small"), "ann@sender.test", "small@example.test")
    bounced = godwit.wait_for_event("bounced")
    assert bounced.get("reply", {}).get("enhanced") in ("5.3.4", "5.2.3")
    wait_until(lambda: [mail.subject for mail in server.mails()] == ["small"], 30, "the small mail")


@pytest.mark.parametrize(("command", "code"), [
    ("MAIL FROM:<" + "a" * 65 + "@sender.test>", "501"),
    ("MAIL FROM:<ann@" + ".".join(["d" * 60] * 5) + ">", "501"),
    ("NOOP " + "x" * 600, "500"),
    ("X" * 5000, "500"),
])
def test_long_commands(start_godwit, command: str, code: str) -> None:
    godwit = start_godwit()
    with Conversation(godwit.relay) as client:
        assert client.ask("EHLO client.test").startswith("250")
        reply = client.ask(command)
        assert reply[:3] in (code, "500", "501", "553"), reply
        assert reply[4:6] == "5.", "with an enhanced status"


def test_long_lines_in_content(start_godwit) -> None:
    """RFC 5321 s4.5.3.1.6: 1,000 octets a line with its end; longer ones are refused, not folded or cut."""
    godwit = start_godwit()
    with Client(godwit.relay) as client:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            client.submit(message(body="x" * 999 + "\r\n"))
        assert 500 <= refusal.value.smtp_code < 600
    assert godwit.audit()["accepted"] == 0


def test_many_recipients(start_godwit, own) -> None:
    """At least 100 recipients are taken (RFC 5321 s4.5.3.1.8); above our limit 452 asks for another transaction."""
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        client.submit(message(), "ann@sender.test", *[f"u{n}@example.test" for n in range(1000)])
        client.rset()
        client.mail("ann@sender.test")
        answers = [client.rcpt(f"u{n}@example.test")[0] for n in range(1001)]
        assert answers == [250] * 1000 + [452]
    assert godwit.wait_until_ended(1000, 90)["delivered"] == 1000
    assert sorted(server.recipients()) == sorted(f"u{n}@example.test" for n in range(1000))
