"""Twenty times SIGKILL in the middle of the work: what was acknowledged arrives, and the audit accounts for it.

Before each kill at least 50 acknowledged recipients are not yet at the destination. Copies are counted: they may
come from the moment between the destination's 250 and our commit, and from nowhere else.
"""

from collections import Counter

import pytest

from support.destinations import Script, ScriptedServer
from support.load import Load
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long

KILLS = 20
OPEN_AT_LEAST = 50


@pytest.mark.timeout(420)
def test_kill(start_godwit, own, record_property) -> None:
    server = own(ScriptedServer(Script(data_delay=0.05)))
    godwit = start_godwit(to=server.address)
    acknowledged: dict[str, str] = {}
    in_flight: list[int] = []

    for kill in range(KILLS):
        load = own(Load(godwit.relay, clients=6, tag=f"k{kill}"))

        def open_recipients(load: Load = load) -> int:
            arrived = set(server.recipients())
            return sum(recipient not in arrived for recipient in list(load.acknowledged))

        wait_until(lambda: open_recipients() >= OPEN_AT_LEAST, 60, "50 open recipients")
        in_flight.append(open_recipients())
        godwit.kill()
        load.join()
        acknowledged.update(load.acknowledged)
        godwit.start()

    server.script.data_delay = 0
    report = godwit.wait_until_ended(len(acknowledged), 180)
    assert report["clean"], report
    arrived = Counter(server.recipients())
    lost = sorted(set(acknowledged) - set(arrived))
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged recipients never arrived: {lost[:10]}"
    endings = godwit.endings()
    assert all(endings[recipient] == ["delivered"] for recipient in acknowledged)
    copies = sum(arrived.values()) - len(arrived)
    record_property("acknowledged", len(acknowledged))
    record_property("open_at_kill", in_flight)
    record_property("copies", copies)
    print(f"{len(acknowledged)} acknowledged, {copies} copies, open at each kill: {in_flight}")
    # 10 connections by default, and what was answered within one commit (100 ms and its sync).
    assert copies <= KILLS * 60, "more copies than the time between two commits explains"


@pytest.mark.kafka
def test_killed_before_anything_left(start_godwit, own) -> None:
    """The destination is away: nothing was delivered when the process died, everything is after."""
    server = own(ScriptedServer())
    port = server.port
    server.close()
    godwit = start_godwit(to=f"127.0.0.1:{port}", config={"sender": {"retry": {
        "first": "1s", "factor": 1, "max": "1s", "age": "5d"}}})
    load = own(Load(godwit.relay, clients=4))
    wait_until(lambda: load.count() >= 100, 60, "100 acknowledged mails")
    godwit.kill()
    load.join()

    back = own(ScriptedServer(port=port))
    godwit.start()
    godwit.wait_until_ended(len(load.acknowledged), 120)
    arrived = Counter(back.recipients())
    assert set(load.acknowledged) <= set(arrived)
    assert max(arrived.values()) == 1
