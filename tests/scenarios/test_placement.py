"""Lanes that move to other partitions under load: everybody gets one copy, and the audit is clean."""

import itertools
from collections import Counter
from pathlib import Path

from support.destinations import Script, ScriptedServer
from support.load import Load
from support.waiting import wait_until

DOMAIN = "example.test"
SOURCES = """\
sources: {a: {ehlo: a.test}, b: {ehlo: b.test}, c: {ehlo: c.test}}
pools: {default: [{source: a}, {source: b}, {source: c}]}
"""
# The lane of example.test, and all others: by their slots, elsewhere, pinned, wide, narrower again.
PLACEMENTS = [
    "placement: {slots: [{slots: 0-4095, partition: 2}]}",
    "placement: {lanes: [{site: example.test, partitions: [3]}]}",
    "placement: {lanes: [{site: example.test, partitions: [0, 1, 2]}]}",
    "placement: {lanes: [{site: example.test, partitions: [1, 3]}]}",
    "placement: {}",
]


class Busy:
    """A destination that says "later" to every third recipient the first time."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._turn = itertools.count()

    def rcpt(self, recipient: str) -> str | None:
        self._asked[recipient] += 1
        if self._asked[recipient] == 1 and next(self._turn) % 3 == 0:
            return "450 4.2.0 later"
        return None


def place(godwit, text: str) -> None:
    Path(godwit.directory / "control.yaml").write_text(SOURCES + text + "\n")
    done = godwit.command("ctl", "reload", "--reason", "test", "-c", godwit.config_file)
    assert done.returncode == 0, done.stderr


def test_lanes_move_under_load(make_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=Busy().rcpt, data_delay=0.01)))
    godwit = make_godwit(config={
        "log": {"embedded": {"partitions": 4}},
        "control": {"file": "control.yaml"},
        "sender": {"routes": [{"domain": "*", "to": server.address}],
                   "retry": {"first": "1s", "factor": 1, "max": "1s", "age": "5d"}}})
    (godwit.directory / "control.yaml").write_text(SOURCES)
    godwit.start()
    load = own(Load(godwit.relay, clients=6, domain=DOMAIN))
    for text in PLACEMENTS:
        before = load.count()
        wait_until(lambda before=before: load.count() >= before + 150, 60, "some traffic")
        place(godwit, text)
    moved_at = load.count()
    wait_until(lambda: load.count() >= moved_at + 150, 60, "traffic after the last move")
    load.stop()

    report = godwit.wait_until_ended(len(load.acknowledged), 120)
    assert report["clean"], report
    arrived = Counter(server.recipients())
    assert set(arrived) == set(load.acknowledged)
    assert max(arrived.values()) == 1, "nobody gets two copies because a lane moved"
    assert godwit.metric("godwit_sender_deliveries_moved_total") > 0
    attempts = [event for event in godwit.events() if event["type"] == "delivered"]
    assert {event["attempt"] for event in attempts} == {1, 2}, "attempts are counted on over a move"
    assert {event["source"] for event in attempts} == {"a", "b", "c"}
