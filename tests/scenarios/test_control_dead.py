"""What an operator does with a record in `dead`: it is delivered after all, or ends as cancelled, and the audit stays clean.

As in test_poison.py the record gets there by killing the process three times.
"""

import contextlib
import json
import signal

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

RECIPIENTS = ["one@example.test", "two@example.test"]


@pytest.fixture
def held(make_godwit, own, monkeypatch):
    """held(topic, step) is a Godwit with one mail to RECIPIENTS in `dead`, its server, and the row."""
    def make(topic: str, step: str):
        server = own(ScriptedServer())
        godwit = make_godwit(config={"log": {"embedded": {"partitions": 1}},
                                     "sender": {"routes": [{"domain": "*", "to": server.address}]}})
        godwit.options = ("--roles", "ingress")
        godwit.start()
        with Client(godwit.relay) as client:
            client.submit(message(RECIPIENTS[0]), "ann@sender.test", *RECIPIENTS)
        assert godwit.terminate() == 0
        godwit.options = ()
        monkeypatch.setenv("GODWIT_KILL_IN_HAND", f"{topic}/0/0/{step}")
        for _ in range(3):
            with contextlib.suppress(AssertionError):
                godwit.start()
            assert godwit.process.wait(30) == -signal.SIGKILL
        godwit.start()
        (row,) = wait_until(lambda: rows(godwit), 30, "a record in dead")
        return godwit, server, row

    return make


def rows(godwit) -> list[dict]:
    done = godwit.command("ctl", "dead", "list", "--json", "-c", godwit.config_file)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]


def dead(godwit, command: str, *arguments: str):
    why = () if command == "show" else ("--reason", "it is mended")
    return godwit.command("ctl", "dead", command, *why, "-c", godwit.config_file, *arguments)


def test_dropped_mail_is_cancelled(held) -> None:
    godwit, server, row = held("accepted", "decode")
    shown = json.loads(dead(godwit, "show", row["key"], "--json").stdout)
    assert len(shown["recipients"]) == len(RECIPIENTS)
    dropped = dead(godwit, "drop", row["key"])
    assert dropped.returncode == 0, dropped.stderr
    assert dropped.stdout == "dropped; 2 recipients are cancelled\n"
    assert rows(godwit) == []
    again = dead(godwit, "drop", row["key"])
    assert again.returncode == 1
    assert "there is no" in again.stderr
    report = godwit.audit()
    assert (report["cancelled"], report["held"], report["clean"]) == (2, 0, True), report
    events = [event for event in godwit.events() if event["type"] == "cancelled"]
    assert len(events) == len(RECIPIENTS)
    assert all("dropped from dead by" in event["reply"]["text"] for event in events)
    assert server.recipients() == []


@pytest.mark.kafka
def test_retried_mail_is_delivered_once(held) -> None:
    godwit, server, row = held("outbound", "transaction")
    retried = dead(godwit, "retry", row["key"], "--json")
    assert retried.returncode == 0, retried.stderr
    assert json.loads(retried.stdout)["topic"] == "outbound"
    report = godwit.wait_until_ended(len(RECIPIENTS))
    assert (report["delivered"], report["held"], report["clean"]) == (2, 0, True), report
    assert sorted(server.recipients()) == RECIPIENTS
    assert rows(godwit) == []
    actions = [entry["action"] for entry in json.loads(
        godwit.command("ctl", "audit-log", "--json", "-c", godwit.config_file).stdout)["entries"]]
    assert actions == ["dead.retry"]
