"""A password reset does not wait behind a campaign: urgent mail has topics of its own and goes first everywhere."""

import pytest

from support.bench import BenchSink
from support.destinations import ScriptedServer
from support.mail import Client
from support.overtaking import SHAPING, URGENT_MAIL, measure_overtaking

pytestmark = pytest.mark.kafka_long

BULK = 100_000


@pytest.mark.timeout(400)
def test_first_attempt_within_a_second(make_godwit, own, executable, tmp_path) -> None:
    """The same tenant, site and pool; 100,000 messages accepted before it and not yet routed, and its window full."""
    sink = own(BenchSink(executable, tmp_path))
    node = make_godwit({"sender": {"routes": [{"domain": "*", "to": sink.address}]}}, SHAPING)
    measured = measure_overtaking(node, sink, BULK, urgent=100, seconds=200)
    assert measured.bulk_delivered < BULK / 2, "the campaign was still standing in line"
    assert measured.p99() < 1.0, measured.waits[-10:]


@pytest.mark.kafka
def test_the_field_is_for_godwit_alone(start_godwit, own) -> None:
    server = own(ScriptedServer())
    node = start_godwit(to=server.address)
    with Client(node.relay) as client:
        client.submit(URGENT_MAIL, "ann@sender.test", "bob@example.test")
    node.wait_for_event("delivered")
    mail = server.mails()[0]
    assert mail.subject == "reset"
    assert b"x-godwit" not in mail.content.lower()
