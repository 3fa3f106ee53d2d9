"""A destination that says "later" gets the mail later, as often as it takes, and gets it once."""

import pytest

from support.destinations import Script, ScriptedServer, SmtpSink
from support.godwit import HASTY
from support.mail import Client, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

STAGES = {
    "mail": ("mail", "451 4.3.2 not now"),
    "rcpt": ("rcpt", "450 4.2.0 greylisted"),
    "dot": ("data", "452 4.2.2 mailbox full"),
    "unhappy": ("rcpt", "421 4.7.0 too many connections"),
}


@pytest.mark.parametrize(("stage", "reply"), STAGES.values(), ids=STAGES.keys())
def test_defer_and_deliver(start_godwit, own, stage: str, reply: str) -> None:
    refusals = 2

    def answer(_: object) -> str | None:
        nonlocal refusals
        refusals -= 1
        return reply if refusals >= 0 else None

    script = Script()
    setattr(script, stage, answer)
    server = own(ScriptedServer(script))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": HASTY}})

    with Client(godwit.relay) as client:
        client.submit(message())

    godwit.wait_until_ended(1)
    assert server.recipients() == ["bob@example.test"]
    attempts = [e for e in godwit.events() if e["type"] in ("deferred", "delivered")]
    assert [(e["type"], e["attempt"]) for e in attempts] == [("deferred", 1), ("deferred", 2), ("delivered", 3)]
    assert attempts[0]["reply"]["code"] == int(reply[:3])
    assert attempts[0]["reply"]["enhanced"] == reply.split()[1]
    assert reply.split(maxsplit=2)[2] in attempts[0]["reply"]["text"]


@pytest.mark.kafka
def test_nobody_listens_at_first(start_godwit, own, tmp_path) -> None:
    sink = SmtpSink(tmp_path)
    port = sink.port
    sink.close()
    godwit = start_godwit(to=f"127.0.0.1:{port}", config={"sender": {"retry": HASTY}})

    with Client(godwit.relay) as client:
        client.submit(message("worth waiting for"))
    deferred = godwit.wait_for_event("deferred", attempt=1)
    assert "reply" not in deferred or deferred["reply"].get("code", 0) == 0, "nobody replied"
    sink = own(SmtpSink(tmp_path, port=port))

    godwit.wait_until_ended(1)
    wait_until(sink.mails, 10, "the mail at smtp-sink")
    assert [mail.subject for mail in sink.mails()] == ["worth waiting for"]


def test_a_slow_domain_does_not_hold_up_another(start_godwit, own) -> None:
    slow = own(ScriptedServer(Script(rcpt=lambda _: "450 4.2.0 later")))
    quick = own(ScriptedServer())
    godwit = start_godwit(config={"sender": {"routes": [
        {"domain": "slow.test", "to": slow.address}, {"domain": "quick.test", "to": quick.address}]}})

    with Client(godwit.relay) as client:
        for n in range(50):
            client.submit(message(), "ann@sender.test", f"u{n}@slow.test")
            client.submit(message(), "ann@sender.test", f"u{n}@quick.test")

    report = godwit.wait_until_ended(50, open=50)
    assert report["delivered"] == 50
    assert sorted(quick.recipients()) == sorted(f"u{n}@quick.test" for n in range(50))
    wait_until(lambda: godwit.audit()["pending_parked"] == 50, 30, "50 parked recipients")
