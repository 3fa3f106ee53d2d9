"""Plaintext behind STARTTLS was put there by somebody in between: it is never used (CVE-2011-0411), either way."""

import socket
import threading

from support.addresses import free_port
from support.mail import Client, Conversation, message
from support.waiting import wait_until


def test_from_a_client(start_godwit) -> None:
    godwit = start_godwit()
    with Conversation(godwit.relay) as client:
        assert "STARTTLS" in client.ask("EHLO client.test")
        client.send(b"STARTTLS\r\nEHLO injected.test\r\nMAIL FROM:<evil@sender.test>\r\n")
        replies = client.replies_until_closed()
    assert not any(reply.startswith("250") for reply in replies), replies


def test_starttls_works_when_nothing_is_injected(start_godwit) -> None:
    godwit = start_godwit()
    with Conversation(godwit.relay) as client:
        client.ask("EHLO client.test")
        assert client.ask("MAIL FROM:<forgotten@sender.test>").startswith("250")
        assert client.ask("STARTTLS").startswith("220")
        client.start_tls()
        # RFC 3207 s4.2: what was said before is forgotten.
        assert client.ask("RCPT TO:<bob@example.test>").startswith("503")
        assert "STARTTLS" not in client.ask("EHLO client.test")


class InjectingServer:
    """Offers STARTTLS and sends a plaintext reply together with its 220."""

    def __init__(self) -> None:
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.heard: list[bytes] = []
        self.after_starttls: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                connection.settimeout(20)
                try:
                    self._talk(connection, lines)
                except OSError:
                    pass

    def _talk(self, connection: socket.socket, lines) -> None:
        connection.sendall(b"220 mx.test ESMTP\r\n")
        for line in lines:
            self.heard.append(line)
            if line.upper().startswith(b"EHLO"):
                connection.sendall(b"250-mx.test\r\n250 STARTTLS\r\n")
            elif line.upper().startswith(b"STARTTLS"):
                connection.sendall(b"220 2.0.0 go ahead\r\n250-mx.test\r\n250 AUTH PLAIN\r\n")
                while octets := connection.recv(4096):
                    self.after_starttls.append(octets)
                return
            else:
                connection.sendall(b"250 2.0.0 Ok\r\n")

    def close(self) -> None:
        self._listener.close()


def test_from_a_destination(start_godwit, own) -> None:
    server = own(InjectingServer())
    godwit = start_godwit(to=f"127.0.0.1:{server.port}")
    with Client(godwit.relay) as client:
        client.submit(message())
    wait_until(lambda: godwit.counts()["deferred"] >= 1, 30, "a deferral")
    spoken = b"".join(server.after_starttls).upper()
    assert b"MAIL FROM" not in spoken and b"EHLO" not in spoken, "the injected reply was believed"
    assert godwit.audit()["pending_parked"] == 1
