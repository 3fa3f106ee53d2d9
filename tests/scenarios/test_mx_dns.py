"""Mail finds its way by the DNS: a real authoritative server (Knot), real MX hosts, in a network of their own.

The network namespace has nothing but a loopback device; the addresses of the MX hosts lie in a range that is not
reserved, because MX hosts in loopback, private and reserved ranges are refused.
"""

import pytest

from support.dns import DnsServer
from support.destinations import SmtpSink
from support.godwit import Godwit
from support.mail import swaks
from support.network import Network
from support.waiting import wait_until

PORT = 2525
FIRST, SECOND, ABSENT = "11.1.0.1", "11.1.0.2", "11.1.0.9"

ZONE = f"""
mx1 A {FIRST}
mx2 A {SECOND}
absent A {ABSENT}
inside A 127.0.0.1
private A 10.0.0.1
order MX 20 mx2
order MX 10 mx1
fallback MX 10 absent
fallback MX 20 mx2
gone-first MX 10 nowhere
gone-first MX 20 mx2
implicit A {FIRST}
alias CNAME order
null MX 0 .
loopback MX 10 inside
private-net MX 10 private
nothing TXT "neither MX nor address"
"""


class World:
    def __init__(self, network: Network, godwit: Godwit, dns: DnsServer, first: SmtpSink, second: SmtpSink) -> None:
        self.network, self.godwit, self.dns, self.first, self.second = network, godwit, dns, first, second

    def send(self, domain: str) -> str:
        sent = swaks(self.godwit.relay, to=f"bob@{domain}", prefix=self.network.prefix)
        assert sent.queued, sent.transcript
        return sent.queued


@pytest.fixture
def world(make_godwit, own, tmp_path) -> World:
    network = own(Network(tmp_path, [FIRST, SECOND]))
    dns = own(DnsServer(tmp_path, {"mail.test": ZONE}, prefix=network.prefix))
    first = own(SmtpSink(tmp_path, name="mx1", host=FIRST, port=PORT, prefix=network.prefix))
    second = own(SmtpSink(tmp_path, name="mx2", host=SECOND, port=PORT, prefix=network.prefix))
    godwit = make_godwit({"dns": {"servers": [dns.address], "validate": False, "timeout": "10s"},
                          "sender": {"smtp_port": PORT}}, prefix=network.prefix)
    return World(network, godwit.start(), dns, first, second)


@pytest.mark.parametrize(("domain", "host"), [
    ("order.mail.test", "mx1.mail.test"),
    ("fallback.mail.test", "mx2.mail.test"),
    ("gone-first.mail.test", "mx2.mail.test"),
    ("implicit.mail.test", "implicit.mail.test"),
    ("alias.mail.test", "mx1.mail.test"),
])
def test_delivered(world: World, domain: str, host: str) -> None:
    message_id = world.send(domain)
    delivered = world.godwit.wait_for_event("delivered", 60, message_id=message_id)
    assert delivered["remote"]["host"] == host
    assert delivered["attempt"] == 1, "the next host of a domain is tried in the same attempt"
    sink = world.first if host in ("mx1.mail.test", "implicit.mail.test") else world.second
    wait_until(sink.mails, 10, "the mail at its MX host")
    assert [mail.recipients for mail in sink.mails()] == [(f"bob@{domain}",)]


@pytest.mark.parametrize(("domain", "enhanced"), [
    ("null.mail.test", "5.1.10"),  # RFC 7505
    ("no-such-domain.mail.test", "5.1.2"),
    ("loopback.mail.test", "5.4.4"),
    ("private-net.mail.test", "5.4.4"),
])
def test_bounced(world: World, domain: str, enhanced: str) -> None:
    message_id = world.send(domain)
    bounced = world.godwit.wait_for_event("bounced", 60, message_id=message_id)
    assert bounced["reply"]["enhanced"] == enhanced
    assert world.first.mails() == [] and world.second.mails() == []


def test_servfail_waits(world: World) -> None:
    """Knot refuses what it has no zone for, and the resolver calls that a failure: nothing is decided by it."""
    message_id = world.send("mail.elsewhere.test")
    deferred = world.godwit.wait_for_event("deferred", 90, message_id=message_id)
    assert deferred["attempt"] == 1
    assert world.godwit.audit()["pending_parked"] == 1


def test_dead_dns_waits(world: World) -> None:
    world.dns.close()
    message_id = world.send("order.mail.test")
    world.godwit.wait_for_event("deferred", 90, message_id=message_id)
