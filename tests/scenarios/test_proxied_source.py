"""A source whose address a proxy has: what the proxy is told, and that a proxy on this machine is no reason to trust."""

import socket
import struct
import threading

import pytest

from support.certificates import make_certificate
from support.mail import Client, message
from support.tls_peer import Manner, TlsPeer

HOST, SOURCE = "192.0.2.25", "198.51.100.7"
USER, PASSWORD = "acme", "correct horse"
HEADER = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12) + socket.inet_aton(SOURCE) + socket.inet_aton(HOST)
          + struct.pack(">HH", 0, 2525))


class HaProxy:
    """Takes connections with a PROXY header, keeps it, and leads all of them to one address."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._listener.getsockname()[1])
        self.headers: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.headers.append(client.recv(len(HEADER), socket.MSG_WAITALL))
            host = socket.create_connection(self._target)
            for one, other in ((client, host), (host, client)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while octets := source.recv(65536):
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side went first

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.mark.parametrize("trusted", [True, False])
def test_credentials_by_a_proxy(start_godwit, own, tmp_path, trusted: bool) -> None:
    """To a host on loopback a password goes by any certificate; the host behind a proxy on loopback is elsewhere."""
    certificate = make_certificate(tmp_path, "smarthost.test", address=HOST)
    peer = own(TlsPeer(certificate, Manner(mechanisms="PLAIN", login=(USER, PASSWORD))))
    proxy = own(HaProxy(peer.address))
    sender = {"routes": [{"domain": "*", "to": f"{HOST}:2525", "username": USER, "password": PASSWORD}]}
    if trusted:
        sender["tls_ca_file"] = str(certificate.certificate)
    godwit = start_godwit(config={"sender": sender}, control={
        "sources": {"default": {"address": SOURCE, "proxy": {"address": proxy.address}}}})

    with Client(godwit.relay) as client:
        client.submit(message())

    if trusted:
        assert godwit.wait_for_event("delivered")["tls"].startswith("TLSv1.3 ")
        assert peer.recipients() == ["bob@example.test"]
    else:
        event = godwit.wait_for_event("deferred")
        assert event["reply"]["command"] == "STARTTLS", event
        assert not any(heard.credentials for heard in peer.connections)
    assert set(proxy.headers) == {HEADER}
