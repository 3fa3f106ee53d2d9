"""A connection that dies after the final dot: delivered or not, nobody can know, and the event says so.

The mail is tried again, because a copy too many is better than none; but not soon, because the host may still be
busy with it. The recipient ends once.
"""

import json
from datetime import datetime, timedelta

import pytest

from support.destinations import DISCONNECT, Mail, Script, ScriptedServer
from support.godwit import HASTY
from support.mail import Client, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long


@pytest.mark.kafka
@pytest.mark.parametrize("kept", [True, False], ids=["the reply was lost", "the mail was lost"])
def test_disconnect_after_dot(start_godwit, own, kept: bool) -> None:
    calls = 0

    def answer(_: Mail) -> object | None:
        nonlocal calls
        calls += 1
        return DISCONNECT if calls == 1 else None

    server = own(ScriptedServer(Script(data=answer, keeps_on_disconnect=kept)))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": {**HASTY, "after_unknown": "3s"}}})

    with Client(godwit.relay) as client:
        client.submit(message(), "ann@sender.test", "a@example.test", "b@example.test")

    for recipient in ("a@example.test", "b@example.test"):
        deferred = godwit.wait_for_event("deferred", recipient=recipient)
        assert deferred["outcome"] == "unknown"
        assert deferred["attempt"] == 1
    godwit.wait_until_ended(2)
    assert sorted(server.recipients()) == sorted(["a@example.test", "b@example.test"] * (2 if kept else 1))
    assert godwit.endings() == {"a@example.test": ["delivered"], "b@example.test": ["delivered"]}
    assert godwit.audit()["clean"]
    delivered = godwit.wait_for_event("delivered")
    assert delivered["queued_ms"] >= 3000


def test_it_waits_ten_minutes_by_default(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(data=lambda _: DISCONNECT)))
    godwit = start_godwit(to=server.address, config={"sender": {"retry": HASTY}})

    with Client(godwit.relay) as client:
        client.submit(message())

    deferred = godwit.wait_for_event("deferred")
    accepted = godwit.wait_for_event("accepted")
    due, began = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (deferred["due"], accepted["time"]))
    assert due - began >= timedelta(minutes=9)


@pytest.mark.kafka
@pytest.mark.parametrize(("decision", "kept", "ending", "copies"), [
    ("retry", False, "delivered", 1),  # the operator has learned that it is not there
    ("delivered", True, "delivered", 1),
    ("failed", False, "bounced", 0),
])
def test_a_tenant_may_have_it_held(start_godwit, own, decision: str, kept: bool, ending: str, copies: int) -> None:
    """An operator decides; nobody is attempted before. Who has another answer goes on meanwhile."""
    calls = 0

    def answer(_: Mail) -> object | None:
        nonlocal calls
        calls += 1
        return DISCONNECT if calls == 1 else None

    server = own(ScriptedServer(Script(data=answer, keeps_on_disconnect=kept)))
    godwit = start_godwit(to=server.address, control={"tenants": [{"name": "default", "outcome_unknown": "hold"}]},
                          config={"sender": {"retry": {**HASTY, "after_unknown": "1ms"}}})

    def ctl(*arguments: str) -> dict:
        done = godwit.command("ctl", *arguments, "--json", "-c", godwit.config_file)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert ctl("held") == {"total": 0, "rows": []}
    assert godwit.metric("godwit_sender_held") == 0
    with Client(godwit.relay) as client:
        client.submit(message("a@example.test"), "ann@sender.test", "a@example.test")
        deferred = godwit.wait_for_event("deferred", recipient="a@example.test")
        assert deferred["outcome"] == "unknown"
        assert deferred["held"] is True
        assert "due" not in deferred
        client.submit(message("b@example.test"), "ann@sender.test", "b@example.test")
    godwit.wait_until_ended(1)
    assert calls == 2
    report = godwit.audit()
    assert (report["held"], report["clean"]) == (1, True), report

    assert godwit.metric("godwit_sender_held") == 1
    (row,) = ctl("held", "list")["rows"]
    assert row["recipients"] == ["a@example.test"]
    assert row["delivery"] == deferred["delivery"]
    why = ("--reason", "asked their postmaster")
    none = godwit.command("ctl", "held", decision, row["delivery"][:-1] + "7", *why, "-c", godwit.config_file)
    assert (none.returncode, "nobody of" in none.stderr) == (1, True), none.stderr
    assert ctl("held", decision, row["delivery"], *why) == {"recipients": 1}

    godwit.wait_until_ended(2)
    assert godwit.endings() == {"a@example.test": [ending], "b@example.test": ["delivered"]}
    assert server.recipients().count("a@example.test") == copies
    wait_until(lambda: ctl("held")["total"] == 0, 30, "nobody held")
    wait_until(lambda: godwit.metric("godwit_sender_held") == 0, 30, "the gauge says so")
    assert godwit.metric("godwit_sender_recipients_held_total") == 1
    assert godwit.audit()["clean"]
    noted = [one["action"] for one in ctl("audit-log")["entries"] if one["subject"] == row["delivery"]]
    assert noted == [f"held.{decision}"]
