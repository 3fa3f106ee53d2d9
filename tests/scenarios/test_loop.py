"""Mail that goes in circles is refused: 50 Received fields are enough (RFC 5321 s6.3)."""

import smtplib

import pytest

from support.addresses import free_port
from support.destinations import ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

HOP = "Received: from a.test by b.test with ESMTP id 1; Sun, 22 Nov 2026 19:00:00 +0000\r\n"


def test_loop(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            client.submit(message(extra=HOP * 50))
        assert refusal.value.smtp_code == 554
        assert refusal.value.smtp_error.startswith(b"5.4.6")
        client.submit(message("not yet a loop", extra=HOP * 49))
    assert godwit.wait_until_ended(1)["accepted"] == 1
    assert [mail.subject for mail in server.mails()] == ["not yet a loop"]


def test_received_in_the_body_is_no_hop(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        client.submit(message(body=HOP * 200))
    godwit.wait_until_ended(1)


def test_a_real_loop_ends(start_godwit, make_godwit, own) -> None:
    """Two nodes that route everything to each other: the mail bounces instead of travelling for ever."""
    ports = [free_port(), free_port()]
    nodes = []
    for here, there in (ports, reversed(ports)):
        nodes.append(make_godwit({
            "ingress": {"smtp": [{"listen": f"127.0.0.1:{here}", "kind": "relay",
                                  "trusted_networks": ["127.0.0.0/8"]}]},
            "sender": {"routes": [{"domain": "*", "to": f"127.0.0.1:{there}"}]}}).start())
    with Client(nodes[0].relay) as client:
        client.submit(message())
    for node in nodes:
        node.wait_for_event("routed")

    def bounced() -> list[dict]:
        return [e for node in nodes for e in node.events() if e["type"] == "bounced"]

    event = wait_until(bounced, 60, "the loop's end")[0]
    assert event["reply"]["code"] == 554
    assert event["reply"]["enhanced"] == "5.4.6"
