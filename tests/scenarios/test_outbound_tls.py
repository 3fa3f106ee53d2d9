"""TLS and AUTH towards destinations: what is taken, what is refused, and that the events tell the truth about it."""

import ssl

import pytest

from support.bench import BenchSink
from support.certificates import Certificate, make_certificate
from support.destinations import ScriptedServer
from support.dns import DnsServer
from support.mail import Client, message, swaks
from support.network import Network
from support.tls_peer import Manner, TlsPeer

USER, PASSWORD = "acme", "correct horse"
INJECTED = b"250-mx.test\r\n250 AUTH PLAIN\r\n"


def route(to: str, trusted: Certificate | None = None, **more: str) -> dict:
    """A configuration that sends all mail there, and trusts that certificate."""
    sender: dict = {"routes": [{"domain": "*", "to": to, **more}]}
    if trusted:
        sender["tls_ca_file"] = str(trusted.certificate)
    return {"sender": sender}


def send(godwit, count: int = 1) -> None:
    with Client(godwit.relay) as client:
        for _ in range(count):
            client.submit(message())


def assert_delivered(godwit, peer: TlsPeer, tls: str) -> None:
    event = godwit.wait_for_event("delivered")
    assert event.get("tls", "") == tls
    assert peer.recipients() == ["bob@example.test"]


def assert_deferred(godwit, peer: TlsPeer, command: str, code: int, enhanced: str) -> None:
    event = godwit.wait_for_event("deferred")
    reply = event["reply"]
    assert (reply["command"], reply.get("code", 0), reply["enhanced"]) == (command, code, enhanced), event
    assert peer.recipients() == []
    assert not any(heard.said(b"MAIL", in_tls) for heard in peer.connections for in_tls in (False, True))


# --- opportunistic


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "self-signed"])
def test_any_certificate_will_do(start_godwit, own, certificate, trusted) -> None:
    peer = own(TlsPeer(certificate))
    godwit = start_godwit(config=route(peer.address, certificate if trusted else None))
    send(godwit)

    assert_delivered(godwit, peer, tls="TLSv1.3 TLS_AES_256_GCM_SHA384")
    assert peer.connections[0].tls == "TLSv1.3 TLS_AES_256_GCM_SHA384", "what the peer itself says"
    assert peer.connections[0].said(b"MAIL", in_tls=True) and not peer.connections[0].said(b"MAIL", in_tls=False)


def test_other_implementation(start_godwit, own, certificate) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate.certificate, certificate.key)
    server = own(ScriptedServer(tls_context=context))
    godwit = start_godwit(to=server.address)
    send(godwit)

    assert godwit.wait_for_event("delivered")["tls"].startswith("TLSv1.2 ECDHE-")
    assert server.recipients() == ["bob@example.test"]


@pytest.mark.parametrize("refusal", [b"454 4.7.0 TLS not available\r\n", b"502 5.5.1 what?\r\n"])
def test_refused_starttls_goes_on_in_clear(start_godwit, own, certificate, refusal) -> None:
    peer = own(TlsPeer(certificate, Manner(starttls=refusal)))
    godwit = start_godwit(config=route(peer.address))
    send(godwit)

    assert_delivered(godwit, peer, tls="")
    assert len(peer.connections) == 1, "on the same connection"


def test_failed_handshake_falls_back_to_clear(start_godwit, own, certificate) -> None:
    peer = own(TlsPeer(certificate, Manner(instead_of_handshake=b"454 4.7.0 no TLS after all\r\n")))
    godwit = start_godwit(config=route(peer.address))
    send(godwit)

    assert_delivered(godwit, peer, tls="")
    first, second = peer.connections
    assert first.said(b"STARTTLS", in_tls=False) and not second.said(b"STARTTLS", in_tls=False)


def test_disabled(start_godwit, own, certificate) -> None:
    peer = own(TlsPeer(certificate))
    godwit = start_godwit(config=route(peer.address, tls="disabled"))
    send(godwit)

    assert_delivered(godwit, peer, tls="")
    assert not peer.connections[0].said(b"STARTTLS", in_tls=False)


@pytest.mark.parametrize("policy", ["opportunistic", "required"])
def test_plaintext_behind_starttls(start_godwit, own, certificate, policy) -> None:
    peer = own(TlsPeer(certificate, Manner(starttls=b"220 2.0.0 go ahead\r\n" + INJECTED)))
    godwit = start_godwit(config=route(peer.address, certificate, tls=policy))
    send(godwit)

    assert_deferred(godwit, peer, "STARTTLS", 0, "4.7.0")
    assert "tls" not in godwit.wait_for_event("deferred")


# --- required


@pytest.mark.parametrize("by", ["route", "shaping"])
def test_required_and_verified(start_godwit, own, certificate, by) -> None:
    peer = own(TlsPeer(certificate))
    policy = {"tls": "required"} if by == "route" else {}
    shaping = {"shaping": [{"default": True, "tls": "required"}]} if by == "shaping" else None
    godwit = start_godwit(config=route(peer.address, certificate, **policy), control=shaping)
    send(godwit)

    assert godwit.wait_for_event("delivered")["tls"] == peer.connections[0].tls
    assert peer.recipients() == ["bob@example.test"]


@pytest.mark.parametrize("by", ["route", "shaping"])
def test_required_and_untrusted(start_godwit, own, certificate, by) -> None:
    peer = own(TlsPeer(certificate))
    policy = {"tls": "required"} if by == "route" else {}
    shaping = {"shaping": [{"default": True, "tls": "required"}]} if by == "shaping" else None
    godwit = start_godwit(config=route(peer.address, **policy), control=shaping)
    send(godwit)

    assert_deferred(godwit, peer, "STARTTLS", 0, "4.7.5")
    assert "tls" not in godwit.wait_for_event("deferred")


def test_required_and_another_hosts_certificate(start_godwit, own, tmp_path) -> None:
    other = make_certificate(tmp_path, "other.test", address="")
    peer = own(TlsPeer(other))
    godwit = start_godwit(config=route(peer.address, other, tls="required"))
    send(godwit)

    assert_deferred(godwit, peer, "STARTTLS", 0, "4.7.5")


@pytest.mark.parametrize(("manner", "code", "enhanced"), [
    (Manner(starttls=b""), 0, "4.7.10"),
    (Manner(starttls=b"454 4.7.0 TLS not available\r\n"), 454, "4.7.0"),
    (Manner(instead_of_handshake=b"454 4.7.0 no TLS after all\r\n"), 0, "4.7.5"),
], ids=["not offered", "refused", "broken"])
def test_required_and_not_to_be_had(start_godwit, own, certificate, manner, code, enhanced) -> None:
    peer = own(TlsPeer(certificate, manner))
    godwit = start_godwit(config=route(peer.address, certificate, tls="required"))
    send(godwit)

    assert_deferred(godwit, peer, "STARTTLS", code, enhanced)
    assert len(peer.connections) == 1, "no second try in the clear"


# --- sessions


def test_sessions_are_resumed(start_godwit, own, certificate) -> None:
    peer = own(TlsPeer(certificate))
    godwit = start_godwit(config=route(peer.address, certificate, tls="required"), control={
        "shaping": [{"default": True, "connection_limit": 1, "max_deliveries_per_connection": 1}]})
    send(godwit, 3)
    godwit.wait_until_ended(3)

    assert [heard.resumed for heard in peer.connections] == [False, True, True]
    assert {event["tls"] for event in godwit.events() if event["type"] == "delivered"} == {peer.connections[0].tls}


# --- a smarthost that wants credentials


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "PLAIN LOGIN"])
def test_auth(start_godwit, own, certificate, mechanisms) -> None:
    peer = own(TlsPeer(certificate, Manner(mechanisms=mechanisms, login=(USER, PASSWORD))))
    godwit = start_godwit(config=route(peer.address, username=USER, password=PASSWORD))
    send(godwit)

    assert_delivered(godwit, peer, tls="TLSv1.3 TLS_AES_256_GCM_SHA384")
    assert peer.connections[0].credentials == [(mechanisms.split()[0], USER, PASSWORD)]


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN"])
def test_auth_with_a_wrong_password(start_godwit, own, certificate, mechanisms) -> None:
    peer = own(TlsPeer(certificate, Manner(mechanisms=mechanisms, login=(USER, PASSWORD))))
    godwit = start_godwit(config=route(peer.address, username=USER, password="not that one"))
    send(godwit)

    assert_deferred(godwit, peer, "AUTH", 535, "5.7.8")
    event = godwit.wait_for_event("deferred")
    assert event["tls"] == peer.connections[0].tls, "the refusal came in TLS"
    assert "not that one" not in str(godwit.events()), "no password in an event"


def test_auth_that_is_not_offered(start_godwit, own, certificate) -> None:
    peer = own(TlsPeer(certificate))
    godwit = start_godwit(config=route(peer.address, username=USER, password=PASSWORD))
    send(godwit)

    assert_deferred(godwit, peer, "AUTH", 0, "4.7.4")


# --- elsewhere: hosts that are not this machine, in a network of the test's own

PORT = 2525
SMARTHOST, V4, V4_SOURCE = "11.1.0.1", "11.1.0.2", "11.1.0.9"
V6, V6_SOURCE = "2a0a:1::2", "2a0a:1::9"

ZONE = f"""
six MX 10 mx6
mx6 AAAA {V6}
both MX 10 mx
mx A {V4}
mx AAAA {V6}
"""


@pytest.fixture
def network(own, tmp_path) -> Network:
    return own(Network(tmp_path, [SMARTHOST, V4, V4_SOURCE, V6, V6_SOURCE]))


@pytest.mark.parametrize(("trusted", "tls"), [(True, "starttls"), (False, "starttls"), (True, "none")],
                         ids=["verified", "not verified", "in clear"])
def test_credentials_leave_the_machine_in_verified_tls_only(start_godwit, own, executable, network, tmp_path, trusted,
                                                            tls) -> None:
    certificate = make_certificate(tmp_path, "smarthost.test", address=SMARTHOST)
    sink = own(BenchSink(executable, tmp_path, host=SMARTHOST, tls=tls,
                         certificate=certificate if tls != "none" else None, prefix=network.prefix))
    godwit = start_godwit(config=route(sink.address, certificate if trusted else None, username=USER,
                                       password=PASSWORD), prefix=network.prefix)
    assert swaks(godwit.relay, prefix=network.prefix).queued

    if trusted and tls != "none":
        assert godwit.wait_for_event("delivered")["tls"].startswith("TLSv1.3 ")
        assert len(sink.ledger()) == 1
    else:
        event = godwit.wait_for_event("deferred")
        assert event["reply"]["command"] == "STARTTLS", event
        assert sink.ledger() == []


@pytest.mark.parametrize("six", [True, False], ids=["with address6", "without"])
def test_ipv6(make_godwit, own, executable, network, tmp_path, six) -> None:
    dns = own(DnsServer(tmp_path, {"mail.test": ZONE}, prefix=network.prefix))
    sink4 = own(BenchSink(executable, tmp_path, host=V4, port=PORT, name="sink4", prefix=network.prefix))
    sink6 = own(BenchSink(executable, tmp_path, host=f"[{V6}]", port=PORT, tls="starttls", name="sink6",
                          prefix=network.prefix))
    source = {"address": V4_SOURCE, **({"address6": V6_SOURCE} if six else {})}
    godwit = make_godwit({"dns": {"servers": [dns.address], "validate": False, "timeout": "10s"},
                          "sender": {"smtp_port": PORT}}, {"sources": {"default": source}},
                         prefix=network.prefix).start()
    for domain in ("six.mail.test", "both.mail.test"):
        assert swaks(godwit.relay, to=f"bob@{domain}", prefix=network.prefix).queued

    both = godwit.wait_for_event("delivered", recipient="bob@both.mail.test")
    if six:
        only = godwit.wait_for_event("delivered", recipient="bob@six.mail.test")
        assert {event["remote"]["address"] for event in (only, both)} == {f"[{V6}]:{PORT}"}, "IPv6 comes first"
        assert only["tls"].startswith("TLSv1.3 ")
        assert {line["remote"].rpartition(":")[0] for line in sink6.ledger()} == {f"[{V6_SOURCE}]"}
    else:
        only = godwit.wait_for_event("deferred", recipient="bob@six.mail.test")
        assert only["reply"]["enhanced"] == "4.4.4", only
        assert (both["remote"]["address"], both.get("tls", "")) == (f"{V4}:{PORT}", "")
        assert [line["remote"].rpartition(":")[0] for line in sink4.ledger()] == [V4_SOURCE]
        assert sink6.ledger() == []
