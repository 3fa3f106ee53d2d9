"""What scripts lean on: `godwit events`, `godwit audit`, the ready line, the reply to an accepted mail."""

import json
import re
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from support.destinations import Script, ScriptedServer
from support.mail import Client, message
from support.process import Process
from support.waiting import wait_until

ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def busy(start_godwit, own):
    """A node that delivered one recipient, bounced one and deferred one."""
    answers = {"gone@example.test": "550 5.1.1 no such user", "busy@example.test": "450 4.2.0 later"}
    server = own(ScriptedServer(Script(rcpt=answers.get)))
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        godwit.message_id = client.submit(message(), "ann@sender.test", "good@example.test", *answers)
    godwit.wait_for_event("deferred")
    godwit.wait_until_ended(2, open=1)
    return godwit


def test_ids_are_those_of_the_reply(busy) -> None:
    assert re.fullmatch(ID, busy.message_id)
    assert {e["message_id"] for e in busy.events()} == {busy.message_id}


def test_ready_line(busy) -> None:
    lines = busy.process.output().splitlines()
    assert len(lines) == 1, "standard output has the ready line and nothing else"
    assert lines[0].startswith("ready ")
    names = [name for name, _ in busy.addresses()]
    assert {"smtp.relay", "http", "admin", "observe"} <= set(names)
    assert all(port > 0 for _, (_, port) in busy.addresses())


def test_logs_are_json(busy) -> None:
    lines = busy.process.errors().splitlines()
    assert lines
    for line in lines:
        entry = json.loads(line)
        assert entry["msg"]
        assert "good@example.test" not in line, "addresses are not logged by default"
        assert "Hello." not in line, "content is never logged"


def test_event_fields(busy) -> None:
    events = busy.events()
    assert len({e["id"] for e in events}) == len(events)
    for event in events:
        assert {"id", "type", "time", "message_id", "tenant", "sender", "recipient"} <= event.keys()
        when = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
        assert abs(datetime.now(timezone.utc) - when) < timedelta(minutes=5)
    by_type = {e["type"]: e for e in events}
    assert set(by_type) == {"accepted", "routed", "delivered", "bounced", "deferred"}
    for kind in ("delivered", "bounced", "deferred"):
        event = by_type[kind]
        assert event["attempt"] == 1
        assert event["site"] and event["pool"] == "default" and event["source"]
        assert event["remote"]["host"] and event["remote"]["address"]
        assert set(event["reply"]) >= {"code", "enhanced", "text"}
    assert by_type["bounced"]["class"]


def test_events_since(busy) -> None:
    later = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    earlier = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert busy.events("--since", later) == []
    assert len(busy.events("--since", earlier)) == len(busy.events())


def test_events_follow(busy, own, tmp_path) -> None:
    follower = Process("follower", [busy.executable, "events", "-c", busy.config_file, "--json", "--follow"], tmp_path)
    try:
        follower.wait_for_output("{", 20)
        with Client(busy.relay) as client:
            message_id = client.submit(message(), "ann@sender.test", "followed@example.test")
        busy.wait_for_event("delivered", message_id=message_id)

        def seen() -> bool:
            lines = follower.output().splitlines(keepends=True)
            events = [json.loads(line) for line in lines if line.endswith("\n")]
            return [e["type"] for e in events if e["message_id"] == message_id] == ["accepted", "routed", "delivered"]

        wait_until(seen, 20, lambda: f"the new mail's events: {follower.output()[-2000:]}")
    finally:
        follower.clean_up()


def test_events_for_people(busy) -> None:
    done = busy.command("events", "-c", busy.config_file)
    assert done.returncode == 0
    assert "delivered" in done.stdout and "good@example.test" in done.stdout


def test_audit_counts(busy) -> None:
    report = busy.audit()
    assert (report["accepted"], report["delivered"], report["bounced"], report["pending_parked"]) == (3, 1, 1, 1)
    assert (report["missing"], report["doubled"], report["held"]) == (0, 0, 0)
    table = busy.command("audit", "-c", busy.config_file)
    assert table.returncode == 0
    assert "accepted" in table.stdout


def test_commands_work_when_nothing_runs(busy) -> None:
    """Then the log is opened read-only: the answers are the same, and a later start finds it unharmed."""
    running_events, running_report = busy.events(), busy.audit()
    assert busy.terminate() == 0
    key = "id"
    assert sorted(e[key] for e in busy.events()) == sorted(e[key] for e in running_events)
    report = busy.audit()
    for count in ("accepted", "delivered", "bounced", "pending_parked"):
        assert report[count] == running_report[count]
    busy.start()
    assert busy.audit()["accepted"] == 3


def test_a_second_process_stays_off_the_log(busy) -> None:
    done = subprocess.run([str(busy.executable), "run", "-c", str(busy.config_file)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 3
    assert "data" in done.stderr


def test_audit_without_a_log(executable, tmp_path) -> None:
    (tmp_path / "godwit.yaml").write_text("data_dir: ./nothing\n")
    done = subprocess.run([str(executable), "audit", "-c", str(tmp_path / "godwit.yaml")], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "nothing" in done.stderr
    assert not (tmp_path / "nothing").exists()


def test_ctl(busy) -> None:
    done = busy.command("ctl", "--help")
    assert done.returncode == 0
