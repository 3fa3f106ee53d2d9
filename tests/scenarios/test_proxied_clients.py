"""Behind a load balancer the client is whom the PROXY header names, and who brings none is nobody."""

import smtplib
import socket
import ssl

import pytest

from support.destinations import ScriptedServer
from support.mail import message
from support.waiting import wait_until

OURS = "192.0.2.7"
STRANGER = "203.0.113.9"
BEHIND = {"proxy_networks": ["127.0.0.0/8"], "trusted_networks": ["192.0.2.0/24"]}
LISTENERS = {"ingress": {"smtp": [
    {"listen": "127.0.0.1:0", "kind": "relay", **BEHIND},
    {"listen": "127.0.0.1:0", "kind": "submission", "tls": "implicit", "proxy_networks": ["127.0.0.0/8"]},
]}}
TENANT = {"tenants": [{"name": "acme", "credentials": [{"username": "acme", "password": "correct horse"}]}]}


def connect(server: tuple[str, int], client: str) -> socket.socket:
    """As a load balancer does for a client of that address."""
    connection = socket.create_connection(server, timeout=30)
    connection.sendall(f"PROXY TCP4 {client} 198.51.100.1 40000 25\r\n".encode())
    return connection


def received(connection: socket.socket) -> bytes:
    """What comes before the end, or the reset: the server closes over what it did not read."""
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


class Proxied(smtplib.SMTP):
    def __init__(self, server: tuple[str, int], client: str, tls: bool = False) -> None:
        self._client, self._tls = client, tls
        super().__init__(*server, local_hostname="client.test", timeout=30)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = connect((host, port), self._client)
        if not self._tls:
            return connection
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(connection)


def test_who_the_header_names(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=LISTENERS, control=TENANT)

    with Proxied(godwit.relay, OURS) as client:
        assert client.sendmail("ann@sender.test", ["bob@example.test"], message()) == {}
    with Proxied(godwit.relay, STRANGER) as client, pytest.raises(smtplib.SMTPSenderRefused) as refusal:
        client.sendmail("ann@sender.test", ["bob@example.test"], message())
    assert refusal.value.smtp_code == 550
    with Proxied(godwit.address("smtp.submissions"), STRANGER, tls=True) as client:
        client.login("acme", "correct horse")
        assert client.sendmail("ann@sender.test", ["bob@example.test"], message()) == {}

    report = godwit.wait_until_ended(2)
    assert report["delivered"] == 2
    origins = {line for mail in server.mails() for line in mail.content.split(b"\r\n")
               if line.startswith(b"Received:")}
    assert sorted(line.split()[3] for line in origins) == [b"([192.0.2.7])", b"([203.0.113.9])"], origins


def test_who_brings_no_header(start_godwit) -> None:
    godwit = start_godwit(config=LISTENERS, control=TENANT)

    with socket.create_connection(godwit.relay, timeout=30) as client:
        client.sendall(b"EHLO client.test\r\n")
        assert received(client) == b""

    wait_until(lambda: godwit.metric("godwit_ingress_proxy_refused_total") == 1, 30, "the refusal is counted")
    wait_until(lambda: "no PROXY header says who the client is" in godwit.process.errors(), 30, "and logged")
