"""One mail, three recipients, three fates: each recipient is answered for alone."""

import pytest

from support.destinations import Script, ScriptedServer
from support.godwit import HASTY
from support.mail import Client, message

pytestmark = pytest.mark.kafka_long


@pytest.mark.kafka
def test_partial_failure(start_godwit, own) -> None:
    tried: list[str] = []

    def answer(recipient: str) -> str | None:
        tried.append(recipient)
        if recipient.startswith("gone"):
            return "550 5.1.1 no such user"
        if recipient.startswith("busy") and tried.count(recipient) == 1:
            return "450 4.2.0 busy"
        return None

    server = own(ScriptedServer(Script(rcpt=answer)))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": HASTY}})

    with Client(godwit.relay) as client:
        client.submit(message(), "ann@sender.test", "good@example.test", "gone@example.test", "busy@example.test")

    godwit.wait_until_ended(3)
    assert godwit.endings() == {"good@example.test": ["delivered"], "gone@example.test": ["bounced"],
                                "busy@example.test": ["delivered"]}
    assert [mail.recipients for mail in server.mails()] == [("good@example.test",), ("busy@example.test",)]
    assert sorted(tried) == ["busy@example.test"] * 2 + ["gone@example.test", "good@example.test"]
    attempts = {e["recipient"]: e["attempt"] for e in godwit.events() if e["type"] in ("delivered", "bounced")}
    assert attempts == {"good@example.test": 1, "gone@example.test": 1, "busy@example.test": 2}
    assert godwit.audit()["clean"]


def test_all_recipients_refused(start_godwit, own) -> None:
    """No DATA is sent when nobody is left to receive it; the connection goes on to be of use."""
    server = own(ScriptedServer(Script(rcpt=lambda r: "550 5.1.1 no" if r.startswith("gone") else None)))
    godwit = start_godwit(to=server.address)

    with Client(godwit.relay) as client:
        client.submit(message(), "ann@sender.test", "gone1@example.test", "gone2@example.test")
        client.submit(message("the next"), "ann@sender.test", "good@example.test")

    godwit.wait_until_ended(3)
    assert [mail.recipients for mail in server.mails()] == [("good@example.test",)]
    assert godwit.endings() == {"gone1@example.test": ["bounced"], "gone2@example.test": ["bounced"],
                                "good@example.test": ["delivered"]}
