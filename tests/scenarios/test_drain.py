"""SIGTERM under load: the process finishes what it has in hand, exits 0, and the next one does the rest. Once."""

from collections import Counter

import pytest

from support.destinations import Script, ScriptedServer
from support.load import Load
from support.mail import Conversation
from support.waiting import wait_until

pytestmark = pytest.mark.kafka_long


@pytest.mark.kafka
def test_drain(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(data_delay=0.02)))
    godwit = start_godwit(to=server.address)
    load = own(Load(godwit.relay))
    wait_until(lambda: load.count() >= 200 and len(server.recipients()) >= 20, 60, "some traffic")

    status = godwit.terminate()

    assert status == 0, godwit.process.errors()[-4000:]
    load.join()
    assert all(code in (421, 451) for code, _ in load.refused), load.refused
    godwit.start()
    report = godwit.wait_until_ended(len(load.acknowledged), 120)
    assert report["clean"], report
    arrived = Counter(server.recipients())
    assert set(load.acknowledged) <= set(arrived), "acknowledged mail was lost"
    twice = [recipient for recipient, count in arrived.items() if count > 1]
    assert not twice, f"a clean end duplicates nothing: {twice}"


def test_a_second_signal_ends_at_once(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(data_delay=60)))
    godwit = start_godwit(to=server.address)
    own(Load(godwit.relay, clients=1))
    wait_until(lambda: godwit.counts()["routed"] > 0, 30, "a delivery under way")

    godwit.process.signal(15)
    wait_until(lambda: not _connects(godwit.relay), 20, "the listener closed")
    godwit.process.signal(15)

    assert godwit.process.wait(5) != 0


def test_idle_clients_are_told(start_godwit) -> None:
    godwit = start_godwit()
    with Conversation(godwit.relay) as client:
        assert client.ask("EHLO client.test").startswith("250")
        godwit.process.signal(15)
        assert client.reply().startswith("421 4.3.2")
        assert client.reply() == ""
    assert godwit.process.wait() == 0


def _connects(address: tuple[str, int]) -> bool:
    try:
        Conversation(address, timeout=5).close()
    except (OSError, AssertionError):
        return False
    return True
