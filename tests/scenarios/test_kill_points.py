"""Killed at the worst moment: nothing is lost, and only what had been answered and not committed comes twice.

The process kills itself at a named point (common/base/kill_point.h), in builds for tests.
"""

import contextlib
import signal
import smtplib
from collections import Counter

import pytest

from support.destinations import Script, ScriptedServer
from support.godwit import HASTY, Installation
from support.mail import Client, message
from support.waiting import wait_until

LATER = "450 4.2.0 later"


def died(godwit: Installation) -> None:
    """At its kill point, and in no other way."""
    assert godwit.process.wait(60) == -signal.SIGKILL, "not a build with GODWIT_TEST_HOOKS?"


def submit(godwit: Installation, recipients: list[str]) -> None:
    with Client(godwit.relay) as client:
        for recipient in recipients:
            client.submit(message(recipient), "ann@sender.test", recipient)


def test_stored_and_not_acknowledged(make_godwit, own, monkeypatch) -> None:
    """The client saw no 250 and may send again: that copy is the client's. What is stored is delivered."""
    server = own(ScriptedServer())
    godwit = make_godwit({"sender": {"routes": [{"domain": "*", "to": server.address}]}})
    with monkeypatch.context() as environment:
        environment.setenv("GODWIT_KILL_AT", "ingress.stored:4")
        godwit.start()
        submit(godwit, [f"u{n}@example.test" for n in range(3)])
        with pytest.raises((OSError, smtplib.SMTPException)):
            submit(godwit, ["u3@example.test"])
        died(godwit)

    godwit.start()
    report = godwit.wait_until_ended(4)
    assert report["clean"], report
    assert report["accepted"] == 4
    assert Counter(server.recipients()).keys() == {f"u{n}@example.test" for n in range(4)}
    assert server.recipients().count("u3@example.test") == 1


def test_answered_and_not_committed(make_godwit, own, monkeypatch) -> None:
    server = own(ScriptedServer())
    godwit = make_godwit({"sender": {"routes": [{"domain": "*", "to": server.address}]}})
    everybody = [f"u{n}@example.test" for n in range(4)]
    with monkeypatch.context() as environment:
        environment.setenv("GODWIT_KILL_AT", "sender.answered:3")
        godwit.start()
        for recipient in everybody[:2]:
            submit(godwit, [recipient])
            godwit.wait_for_event("delivered", recipient=recipient)
        submit(godwit, everybody[2:3])
        died(godwit)

    godwit.start()
    submit(godwit, everybody[3:])
    report = godwit.wait_until_ended(4)
    assert report["clean"], report
    assert Counter(server.recipients()) == {recipient: 2 if recipient == everybody[2] else 1 for recipient in everybody}
    assert godwit.endings() == {recipient: ["delivered"] for recipient in everybody}


def test_killed_while_the_log_is_replayed(make_godwit, own, monkeypatch) -> None:
    """What is parked is there with its count after a start that died."""
    answer: list[str | None] = [LATER]
    server = own(ScriptedServer(Script(rcpt=lambda _: answer[0])))
    godwit = make_godwit({"sender": {"routes": [{"domain": "*", "to": server.address}], "retry": HASTY}})
    parked = [f"u{n}@example.test" for n in range(10)]
    godwit.start()
    submit(godwit, parked)
    # What is replayed was written behind a checkpoint; one is made with the first segment.
    wait_until(lambda: godwit.metric("godwit_log_checkpoints_total") >= 1, 60, "a checkpoint")
    attempts = max(event.get("attempt", 0) for event in godwit.events())
    told = godwit.wait_for_event("deferred", attempt=attempts + 3)["attempt"]
    godwit.kill()

    with monkeypatch.context() as environment:
        environment.setenv("GODWIT_KILL_AT", "log.replaying:2")
        with contextlib.suppress(AssertionError):  # it dies before it is ready
            godwit.start()
        died(godwit)

    answer[0] = None
    godwit.start()
    report = godwit.wait_until_ended(len(parked))
    assert report["clean"], report
    assert Counter(server.recipients()) == dict.fromkeys(parked, 1)
    attempted = Counter(event["recipient"] for event in godwit.events() if event["type"] == "deferred")
    delivered = {event["recipient"]: event["attempt"] for event in godwit.events() if event["type"] == "delivered"}
    assert delivered == {recipient: count + 1 for recipient, count in attempted.items()}
    assert max(delivered.values()) > told
