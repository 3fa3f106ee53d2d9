"""Mail and the clients that send it: swaks and Python's smtplib."""

import functools
import re
import smtplib
import socket
import ssl
import struct
import subprocess
from dataclasses import dataclass

QUEUED = re.compile(r"250 2\.0\.0 Ok: queued as (\S+)")


def message(subject: str = "a test", body: str = "Hello.\r\n", sender: str = "ann@sender.test",
            recipient: str = "bob@example.test", extra: str = "") -> bytes:
    """A small mail with CRLF line ends."""
    return (f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 19:00:00 +0000\r\n"
            f"Message-ID: <{abs(hash((subject, body)))}@sender.test>\r\n{extra}\r\n{body}").encode()


@dataclass(frozen=True)
class Swaks:
    """What a run of swaks came to. `transcript` has `<-  ` and ` -> ` lines as swaks prints them."""

    status: int
    transcript: str

    @property
    def queued(self) -> str | None:
        """The message id that the server named, when it took the mail."""
        found = QUEUED.search(self.transcript)
        return found[1] if found else None

    def replies(self) -> list[str]:
        """What the server said, line by line."""
        return [m[1] for m in re.finditer(r"^<[-~*]{1,2}\*?\s+(.*)$", self.transcript, re.MULTILINE)]


def swaks(server: tuple[str, int], *options: str, sender: str = "ann@sender.test", to: str = "bob@example.test",
          prefix: tuple[str, ...] = ()) -> Swaks:
    """Sends one mail with swaks; `prefix` is put in front of the command (to run it in a network namespace)."""
    host, port = server
    done = subprocess.run(
        [*prefix, "swaks", "--server", host, "--port", str(port), "--from", sender, "--to", to,
         "--helo", "client.test", "--timeout", "30", *options],
        capture_output=True, text=True, errors="replace", timeout=60, check=False)
    return Swaks(done.returncode, done.stdout + done.stderr)


class Client(smtplib.SMTP):
    """smtplib over a plain connection, with the message id of what was accepted."""

    def __init__(self, server: tuple[str, int], timeout: float = 30) -> None:
        super().__init__(*server, local_hostname="client.test", timeout=timeout)

    def submit(self, content: bytes, sender: str = "ann@sender.test", *recipients: str,
               options: tuple[str, ...] = ()) -> str:
        """Sends one mail and returns its id. Raises smtplib's exceptions when it was not accepted."""
        self.ehlo_or_helo_if_needed()
        code, text = self.mail(sender, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, text, sender)
        for recipient in recipients or ("bob@example.test",):
            code, text = self.rcpt(recipient)
            if code != 250:
                raise smtplib.SMTPRecipientsRefused({recipient: (code, text)})
        code, text = self.data(content)
        if code != 250:
            raise smtplib.SMTPDataError(code, text)
        found = QUEUED.search(f"{code} {text.decode()}")
        assert found, f"an acceptance names no message id: {code} {text!r}"
        return found[1]


@functools.cache
def trusting_context() -> ssl.SSLContext:
    """TLS with whomever. Made once: that reads the system's roots, which takes longer than a handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Conversation:
    """A raw connection, for what no well-behaved client sends. Lines go out exactly as given."""

    def __init__(self, server: tuple[str, int], timeout: float = 30) -> None:
        self._socket = socket.create_connection(server, timeout=timeout)
        self._file = self._socket.makefile("rb")
        self.banner = self.reply()

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def reply(self) -> str:
        """One whole reply, its lines joined by \\n; "" at the end of the connection."""
        lines = []
        while True:
            try:
                line = self._file.readline()
            except ConnectionResetError:
                line = b""
            lines.append(line.decode(errors="replace").rstrip("\r\n"))
            if len(line) < 4 or line[3:4] != b"-":
                return "\n".join(lines)

    def ask(self, line: str | bytes) -> str:
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def replies_until_closed(self) -> list[str]:
        replies = []
        while reply := self.reply():
            replies.append(reply)
        return replies

    def start_tls(self) -> None:
        self._socket = trusting_context().wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")

    def abort(self) -> None:
        """Closes with a reset, as a client that crashes does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._file.close()
        self._socket.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
