"""What an operator does with queued mail: suspend and undo, cancel, retry. The audit stays clean."""

import json
import smtplib

import pytest

from support.destinations import Script, ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

REASON = ("--reason", "wrong price")


def ctl(godwit, *arguments: str, status: int = 0) -> dict:
    done = godwit.command("ctl", *arguments, "--json", "-c", godwit.config_file)
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else {}


def submit(godwit, *recipients: str) -> None:
    with Client(godwit.relay) as client:
        for recipient in recipients:
            client.submit(message(), "ann@sender.test", recipient)


@pytest.mark.kafka
def test_a_campaign_is_suspended_by_the_tag_its_mail_came_with_and_then_cancelled(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    campaign = ("--campaign", "spring sale")
    command = ctl(godwit, "suspend", *campaign, *REASON)["command"]["id"]
    with Client(godwit.relay) as client:
        for recipient, tags in (("one@a.test", "weekly, spring sale"), ("two@b.test", "spring sale"),
                                ("three@a.test", "weekly"), ("four@b.test", "Spring sale")):
            client.submit(message(extra=f"X-Godwit-Tag: {tags}\r\n"), "ann@sender.test", recipient)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.submit(message(extra="X-Godwit-Tag: spring sale,\r\n"))
    assert refused.value.smtp_code == 550
    for recipient in ("three@a.test", "four@b.test"):
        godwit.wait_for_event("delivered", recipient=recipient)
    wait_until(lambda: states(godwit) == ["suspended"] * 2, 30, "the campaign stands still")
    assert sorted(server.recipients()) == ["four@b.test", "three@a.test"]
    assert not any(b"x-godwit" in mail.content.lower() for mail in server.mails())
    tags = {event["recipient"]: event["tags"] for event in godwit.events() if event["type"] == "accepted"}
    assert tags["one@a.test"] == ["weekly", "spring sale"]
    assert [sorted(row["tags"]) for row in ctl(godwit, "deliveries", "list", "--campaign", "weekly")["rows"]] == [
        ["spring sale", "weekly"]]

    assert ctl(godwit, "cancel", *campaign, *REASON, status=1)["touches"]["deliveries"] == 2
    ctl(godwit, "cancel", *campaign, *REASON, "--yes")
    ctl(godwit, "commands", "undo", command, *REASON)
    report = godwit.wait_until_ended(4)
    assert (report["delivered"], report["cancelled"], report["clean"]) == (2, 2, True), report


def states(godwit) -> list[str]:
    return sorted(row["state"] for row in ctl(godwit, "deliveries", "list")["rows"])


@pytest.mark.kafka
def test_suspended_mail_waits_over_a_restart_until_it_is_undone(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    issued = ctl(godwit, "suspend", "--domain", "Held.Test", *REASON)
    assert issued["touches"]["deliveries"] == 0
    command = issued["command"]["id"]
    submit(godwit, "one@held.test", "two@held.test", "three@free.test")
    godwit.wait_for_event("delivered", recipient="three@free.test")
    wait_until(lambda: states(godwit) == ["suspended"] * 2, 30, "two suspended deliveries")

    assert godwit.terminate() == 0
    godwit.start()
    submit(godwit, "four@free.test")
    godwit.wait_for_event("delivered", recipient="four@free.test")
    assert states(godwit) == ["suspended"] * 2
    assert sorted(server.recipients()) == ["four@free.test", "three@free.test"]
    (listed,) = ctl(godwit, "commands", "list")["commands"]
    assert (listed["id"], listed["state"], listed["deliveries"]) == (command, "in force", 2)
    assert godwit.audit()["pending_parked"] == 2

    ctl(godwit, "commands", "undo", command, *REASON)
    report = godwit.wait_until_ended(4)
    assert (report["delivered"], report["clean"]) == (4, True), report
    assert [event["attempt"] for event in godwit.events() if event["type"] == "delivered"] == [1] * 4
    assert ctl(godwit, "commands", "list")["commands"] == []
    ctl(godwit, "commands", "undo", command, *REASON, status=1)
    actions = [entry["action"] for entry in ctl(godwit, "audit-log")["entries"]]
    assert actions[-2:] == ["command.undo", "command.suspend"]


def test_cancelled_mail_ends_once_and_only_with_yes(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda _: "450 4.2.0 later")))
    godwit = start_godwit(to=server.address)
    submit(godwit, "one@a.test", "two@a.test", "three@b.test")
    wait_until(lambda: states(godwit) == ["parked"] * 3, 30, "three parked deliveries")
    (row, *_) = ctl(godwit, "deliveries", "list", "--domain", "a.test")["rows"]
    shown = ctl(godwit, "deliveries", "show", row["delivery"])
    assert (shown["attempts"], "450 4.2.0 later" in shown["last_reply"]) == (1, True)

    dry = ctl(godwit, "cancel", "--domain", "a.test", *REASON, status=1)
    assert (dry["touches"]["deliveries"], "command" in dry) == (2, False)
    assert states(godwit) == ["parked"] * 3
    nothing = godwit.command("ctl", "cancel", "--yes", *REASON, "-c", godwit.config_file)
    assert (nothing.returncode, "the filter is empty" in nothing.stderr) == (2, True), nothing.stderr

    done = ctl(godwit, "cancel", "--domain", "a.test", "--yes", *REASON)
    report = godwit.wait_until_ended(2, open=1)
    assert (report["cancelled"], report["pending_parked"], report["clean"]) == (2, 1, True), report
    cancelled = [event for event in godwit.events() if event["type"] == "cancelled"]
    assert sorted(event["recipient"] for event in cancelled) == ["one@a.test", "two@a.test"]
    assert all(event["reply"]["text"].endswith("wrong price") for event in cancelled)
    wait_until(lambda: ctl(godwit, "commands", "list")["commands"][0]["complete"], 30, "all partitions are through")
    assert ctl(godwit, "commands", "list")["commands"][0]["recipients"] == 2
    trace = ctl(godwit, "trace", cancelled[0]["message_id"])
    assert [event["type"] for event in trace["events"]] == ["accepted", "routed", "deferred", "cancelled"]
    assert trace["queued"] == []

    # What comes now was not meant, whatever the command that is still in force.
    server.script.rcpt = lambda _: None
    submit(godwit, "four@a.test")
    godwit.wait_for_event("delivered", recipient="four@a.test")
    # The other one goes out at once when told to.
    retry = ctl(godwit, "retry", "--domain", "b.test", "--reason", "they are back")
    assert retry["touches"]["deliveries"] == 1
    report = godwit.wait_until_ended(4)
    assert (report["delivered"], report["cancelled"], report["clean"]) == (2, 2, True), report
    assert done["command"]["id"] in json.dumps(ctl(godwit, "commands", "list"))


def test_a_queue_that_nobody_counts_is_not_called_empty(make_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = make_godwit(config={"sender": {"routes": [{"domain": "*", "to": server.address}]}})
    godwit.options = ("--roles", "ingress,router,bouncer")
    godwit.start()
    submit(godwit, "one@a.test", "two@b.test")
    queue = ctl(godwit, "queue")
    assert (queue["total"], queue["not_counted"]) == (0, ["everything: no process has the role sender"])
    # As after a restore: what must not go is cancelled before anybody could deliver it.
    order = ctl(godwit, "cancel", "--domain", "a.test", "--yes", *REASON)
    assert order["touches"]["not_counted"] == queue["not_counted"]
    assert godwit.terminate() == 0
    godwit.options = ()
    godwit.start()
    report = godwit.wait_until_ended(2)
    assert (report["delivered"], report["cancelled"], report["clean"]) == (1, 1, True), report
    assert server.recipients() == ["two@b.test"]
    assert ctl(godwit, "queue")["not_counted"] == []
