"""A record that kills the process three times is set aside, and the mail behind it is delivered.

The process really dies, by SIGKILL, with the record in hand: builds for tests honour GODWIT_KILL_IN_HAND
(common/poison/README.md). It stays set at the last start too, so that nothing but `dead` lets the process live.
"""

import contextlib
import json
import signal

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

CRASHES = 3


@pytest.mark.parametrize(("topic", "step"), [("accepted", "decode"), ("outbound", "transaction")])
def test_poison(make_godwit, own, monkeypatch, topic: str, step: str) -> None:
    server = own(ScriptedServer())
    godwit = make_godwit(config={"log": {"embedded": {"partitions": 1}},
                                 "sender": {"routes": [{"domain": "*", "to": server.address}]}})
    godwit.options = ("--roles", "ingress")  # all three are in the log before anybody reads them
    godwit.start()
    poison, *others = [f"{name}@example.test" for name in ("poison", "one", "two")]
    with Client(godwit.relay) as client:
        for recipient in (poison, *others):
            client.submit(message(recipient), "ann@sender.test", recipient)
    assert godwit.terminate() == 0

    godwit.options = ()
    monkeypatch.setenv("GODWIT_KILL_IN_HAND", f"{topic}/0/0/{step}")
    for _ in range(CRASHES):
        with contextlib.suppress(AssertionError):  # it may die before it is ready
            godwit.start()
        assert godwit.process.wait(30) == -signal.SIGKILL, "not a build with GODWIT_TEST_HOOKS?"

    godwit.start()
    godwit.wait_until_ended(len(others))
    wait_until(lambda: set(others) <= set(server.recipients()), 30, "the others at the destination")
    assert poison not in server.recipients()

    def listed() -> list[dict]:
        done = godwit.command("ctl", "dead", "--json", "-c", godwit.config_file)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["rows"]

    (row,) = wait_until(listed, 30, "a record in dead")
    assert (row["topic"], row["offset"], row["crashes"]) == (topic, 0, CRASHES)
    assert row["cause"] == f"{step}: in hand at {CRASHES} crashes"
    assert godwit.metric("godwit_poison_crashes_total") == 1
    report = godwit.audit()
    assert report["clean"], report
    assert report["held"] == 1
