"""Who may send: authenticated clients on the submission ports, trusted networks on relay ports, nobody else."""

import smtplib
import ssl
import subprocess

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, Conversation, message, swaks
from support.network import Network
from support.waiting import wait_until

TENANT = {"tenants": [{"name": "acme", "credentials": [{"username": "acme", "password": "correct horse"}],
                       "domains": [{"name": "acme.example", "verified": True}]}]}
LISTENERS = {"ingress": {"smtp": [
    {"listen": "127.0.0.1:0", "kind": "submission"},
    {"listen": "127.0.0.1:0", "kind": "submission", "tls": "implicit"},
]}}

# Neither loopback nor reserved; it exists in the test's own network only.
ELSEWHERE = "11.1.0.1"


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_starttls_and_auth(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=LISTENERS, control=TENANT)

    sent = swaks(godwit.submission, "--tls", "--auth", "PLAIN", "--auth-user", "acme",
                 "--auth-password", "correct horse", sender="news@acme.example")

    assert sent.status == 0, sent.transcript
    delivered = godwit.wait_for_event("delivered", message_id=sent.queued)
    assert delivered["tenant"] == "acme"
    assert b"with ESMTPSA" in server.mails()[0].content, "RFC 3848"


def test_implicit_tls_and_login(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=LISTENERS, control=TENANT)

    with smtplib.SMTP_SSL(*godwit.address("smtp.submissions"), context=trusting()) as client:
        client.user, client.password = "acme", "correct horse"
        client.ehlo()
        client.auth("LOGIN", client.auth_login)
        assert client.sendmail("news@acme.example", ["bob@example.test"], message(sender="news@acme.example")) == {}

    assert godwit.wait_for_event("delivered")["tenant"] == "acme"


@pytest.mark.parametrize("password", ["wrong", "", "correct hors", "correct horse "])
def test_wrong_password(start_godwit, password: str) -> None:
    godwit = start_godwit(config=LISTENERS, control=TENANT)

    with smtplib.SMTP(*godwit.submission) as client:
        client.starttls(context=trusting())
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            client.login("acme", password)
        assert refusal.value.smtp_code == 535
        assert refusal.value.smtp_error.startswith(b"5.7.8")
        assert client.mail("news@acme.example")[0] == 530

    assert godwit.audit()["accepted"] == 0


def test_unknown_user_and_wrong_password_look_alike(start_godwit) -> None:
    godwit = start_godwit(config=LISTENERS, control=TENANT)
    refusals = []
    for user in ("acme", "nobody"):
        with smtplib.SMTP(*godwit.submission) as client:
            client.starttls(context=trusting())
            with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                client.login(user, "wrong")
            refusals.append((refusal.value.smtp_code, refusal.value.smtp_error))
    assert refusals[0] == refusals[1]


def test_the_clear_is_for_this_machine(start_godwit) -> None:
    """In the clear AUTH is offered to clients on loopback alone, and these are."""
    godwit = start_godwit(config=LISTENERS, control=TENANT)
    with Conversation(godwit.submission) as client:
        offered = client.ask("EHLO client.test")
        assert "STARTTLS" in offered
        assert "AUTH" in offered
        assert client.ask("MAIL FROM:<news@acme.example>").startswith("530 5.7.0")
        assert client.ask("AUTH PLAIN AGFjbWUAY29ycmVjdCBob3JzZQ==").startswith("235 2.7.0")


def test_no_password_in_the_clear(make_godwit, own, tmp_path) -> None:
    """From another machine AUTH is neither offered nor taken before TLS; on loopback there is nobody to listen."""
    network = own(Network(tmp_path, [ELSEWHERE]))
    listeners = {"ingress": {"smtp": [{"listen": f"{ELSEWHERE}:2587", "kind": "submission"}]}}
    make_godwit(listeners, TENANT, prefix=network.prefix).start()
    login = ("--auth", "PLAIN", "--auth-user", "acme", "--auth-password", "correct horse")

    in_clear = swaks((ELSEWHERE, 2587), *login, prefix=network.prefix)
    assert in_clear.status != 0
    assert any("STARTTLS" in reply for reply in in_clear.replies()), in_clear.transcript
    assert not any("AUTH" in reply for reply in in_clear.replies()), in_clear.transcript

    forced = subprocess.run([*network.prefix, "bash", "-c", f"exec 3<>/dev/tcp/{ELSEWHERE}/2587; "
                             "printf 'EHLO x\\r\\nAUTH PLAIN AGFjbWUAY29ycmVjdCBob3JzZQ==\\r\\nQUIT\\r\\n' >&3; cat <&3"],
                            capture_output=True, text=True, timeout=60, check=True).stdout
    assert "\n235" not in forced, forced
    assert "\n538 5.7.11" in forced or "\n530 5.7.0" in forced, forced

    assert swaks((ELSEWHERE, 2587), "--tls", *login, sender="news@acme.example", prefix=network.prefix).status == 0


def test_without_credentials_nobody_gets_in(start_godwit) -> None:
    """A submission port of an installation that has no accounts yet is closed, not open."""
    godwit = start_godwit(config=LISTENERS)
    with smtplib.SMTP(*godwit.submission) as client:
        client.starttls(context=trusting())
        client.ehlo()  # what was said in the clear is forgotten (RFC 3207 s4.2)
        assert client.mail("ann@sender.test")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("", "")


def test_no_relaying_for_strangers(start_godwit) -> None:
    """A relay port takes mail from its trusted networks only, whatever the addresses in the mail are."""
    godwit = start_godwit(config={"ingress": {"smtp": [
        {"listen": "127.0.0.1:0", "kind": "relay", "trusted_networks": ["192.0.2.0/24"]}]}})

    refused = swaks(godwit.relay)

    assert refused.status != 0
    assert any(reply.startswith("550 5.7.1") or reply.startswith("554 5.7.1") for reply in refused.replies()), \
        refused.transcript
    assert godwit.audit()["accepted"] == 0


def test_submission_completes_a_mail(start_godwit, own) -> None:
    """RFC 6409 s8: a submitted mail without Date and Message-ID gets them; a relayed one is left alone."""
    server = own(ScriptedServer())
    listeners = [*LISTENERS["ingress"]["smtp"],
                 {"listen": "127.0.0.1:0", "kind": "relay", "trusted_networks": ["127.0.0.0/8"]}]
    godwit = start_godwit(to=server.address, config={"ingress": {"smtp": listeners}}, control=TENANT)
    bare = b"From: news@acme.example\r\nTo: bob@example.test\r\nSubject: bare\r\n\r\nHello.\r\n"

    with smtplib.SMTP(*godwit.submission) as client:
        client.starttls(context=trusting())
        client.login("acme", "correct horse")
        client.sendmail("news@acme.example", ["submitted@example.test"], bare)
    with Client(godwit.relay) as client:
        client.submit(bare, "news@acme.example", "relayed@example.test")

    wait_until(lambda: len(server.mails()) == 2, 30, "both mails")
    by_recipient = {mail.recipients[0]: mail.content.lower() for mail in server.mails()}
    assert b"\r\nmessage-id: <" in by_recipient["submitted@example.test"]
    assert b"\r\ndate: " in by_recipient["submitted@example.test"]
    assert b"message-id:" not in by_recipient["relayed@example.test"]
    assert b"\r\ndate: " not in by_recipient["relayed@example.test"]
