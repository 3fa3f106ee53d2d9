"""An SMTP server that does TLS and AUTH as a test wants it, well or badly, and remembers what it heard and how."""

import base64
import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field

from support.certificates import Certificate

SECONDS = 20


@dataclass
class Heard:
    """One connection: lines of the client, each with whether it came in TLS; mails by their recipients."""

    lines: list[tuple[bytes, bool]] = field(default_factory=list)
    tls: str = ""  # as events name it; "" in the clear
    resumed: bool = False
    credentials: list[tuple[str, str, str]] = field(default_factory=list)  # mechanism, user name, password
    recipients: list[str] = field(default_factory=list)  # of mails that were taken

    def said(self, command: bytes, in_tls: bool) -> bool:
        return any(line.upper().startswith(command) and tls == in_tls for line, tls in self.lines)


@dataclass(frozen=True)
class Manner:
    """How it behaves."""

    starttls: bytes = b"220 2.0.0 go ahead\r\n"  # b"": not offered
    # Behind its 220, in a packet of its own: plaintext where the handshake should be, then the end.
    instead_of_handshake: bytes = b""
    mechanisms: str = ""  # of AUTH, offered in TLS
    login: tuple[str, str] = ("", "")


class TlsPeer:
    """One connection at a time, on a thread of this process."""

    def __init__(self, certificate: Certificate, manner: Manner | None = None) -> None:
        self._manner = manner or Manner()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._listener.getsockname()[1])
        self.connections: list[Heard] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def recipients(self) -> list[str]:
        return [recipient for heard in self.connections for recipient in heard.recipients]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._thread.join(SECONDS)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(SECONDS)
            heard = Heard()
            self.connections.append(heard)
            with contextlib.suppress(OSError):  # of TLS too
                self._talk(connection, heard)
            connection.close()

    def _talk(self, connection: socket.socket, heard: Heard) -> None:
        with contextlib.ExitStack() as stack:
            lines = stack.enter_context(connection.makefile("rb"))
            connection.sendall(b"220 mx.test ESMTP\r\n")
            envelope: list[str] = []
            while line := lines.readline():
                heard.lines.append((line, bool(heard.tls)))
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"EHLO":
                    connection.sendall(self._features(bool(heard.tls)))
                elif verb == b"STARTTLS":
                    connection.sendall(self._manner.starttls)
                    if not self._manner.starttls.startswith(b"220"):
                        continue
                    if self._manner.instead_of_handshake:
                        connection.recv(1)  # the client's first octet: it has seen the 220 by itself
                        connection.sendall(self._manner.instead_of_handshake)
                        return
                    connection = stack.enter_context(self._context.wrap_socket(connection, server_side=True))
                    lines = stack.enter_context(connection.makefile("rb"))
                    heard.tls = f"{connection.version()} {connection.cipher()[0]}"
                    heard.resumed = bool(connection.session_reused)
                elif verb == b"AUTH":
                    connection.sendall(self._authenticate(line, connection, lines, heard))
                elif verb == b"MAIL":
                    envelope = []
                    connection.sendall(b"250 2.1.0 Ok\r\n")
                elif verb == b"RCPT":
                    envelope.append(line.partition(b"<")[2].partition(b">")[0].decode())
                    connection.sendall(b"250 2.1.5 Ok\r\n")
                elif verb == b"DATA":
                    connection.sendall(b"354 go ahead\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    heard.recipients.extend(envelope)
                    connection.sendall(b"250 2.0.0 Ok\r\n")
                elif verb == b"QUIT":
                    connection.sendall(b"221 2.0.0 bye\r\n")
                    return
                else:
                    connection.sendall(b"500 5.5.1 what?\r\n")

    def _features(self, in_tls: bool) -> bytes:
        features = ["mx.test"]
        if self._manner.starttls and not in_tls:
            features.append("STARTTLS")
        if self._manner.mechanisms and in_tls:
            features.append(f"AUTH {self._manner.mechanisms}")
        features.append("8BITMIME")
        return "".join(f"250{'-' if i + 1 < len(features) else ' '}{f}\r\n" for i, f in enumerate(features)).encode()

    def _authenticate(self, line: bytes, connection: socket.socket, lines, heard: Heard) -> bytes:
        mechanism, _, initial = line.decode().strip().partition(" ")[2].partition(" ")
        if mechanism == "PLAIN":
            _, name, password = base64.b64decode(initial).decode().split("\0")
        else:
            answers = []
            for prompt in (b"Username:", b"Password:"):
                connection.sendall(b"334 " + base64.b64encode(prompt) + b"\r\n")
                answers.append(base64.b64decode(lines.readline()).decode())
            name, password = answers
        heard.credentials.append((mechanism, name, password))
        right = (name, password) == self._manner.login
        return b"235 2.7.0 Ok\r\n" if right else b"535 5.7.8 wrong\r\n"
