"""Servers that Godwit delivers to: Postfix's smtp-sink, and a scripted one in this process (aiosmtpd)."""

import asyncio
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from support.addresses import free_port
from support.process import Process, let_others_in
from support.waiting import wait_until


@dataclass(frozen=True)
class Mail:
    """One mail as a destination took it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def subject(self) -> str:
        found = re.search(rb"(?im)^subject:[ \t]*(.*?)\r?$", self.content)
        return found[1].decode(errors="replace") if found else ""


class SmtpSink:
    """Postfix's smtp-sink; `options` are its own (say, "-r", "DATA"). Takes what arrives into one file a mail."""

    def __init__(self, directory: Path, *options: str, name: str = "smtp-sink", host: str = "127.0.0.1",
                 port: int | None = None, prefix: tuple[str, ...] = ()) -> None:
        self.host, self.port = host, port or free_port()
        self._dump = directory / f"{name}-mails"
        self._dump.mkdir(exist_ok=True)
        # As root it insists on giving up its privileges.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        if user:
            self._dump.chmod(0o777)
            let_others_in(directory)
        self.process = Process(name, [*prefix, "smtp-sink", *user, "-4", "-d", f"{self._dump}/%s.", *options,
                                      f"{self.host}:{self.port}", "512"], directory)
        wait_until(lambda: self.process.listens(self.port) or self.process.status is not None, 10,
                   "smtp-sink listens")
        assert self.process.status is None, self.process.errors()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def mails(self) -> list[Mail]:
        """Complete mails so far (a mail whose end has not come has no arguments yet, or no blank line)."""
        found = []
        for path in sorted(self._dump.iterdir()):
            head, _, content = path.read_bytes().partition(b"Received: from ")
            sender = re.search(rb"(?m)^X-Mail-Args: <(.*?)>", head)
            recipients = re.findall(rb"(?m)^X-Rcpt-Args: <(.*?)>", head)
            if sender and recipients and content:
                found.append(Mail(sender[1].decode(), tuple(r.decode() for r in recipients),
                                  re.sub(rb"(?s)\A.*?\n(?![ \t])", b"", content)))
        return found

    def close(self) -> None:
        self.process.clean_up()


# What a script answers: a reply ("450 4.2.0 not now"), DISCONNECT, or None for the usual "250 ...".
DISCONNECT = object()
Answer = str | object | None


@dataclass
class Script:
    """How a scripted server answers; each function may be replaced while it runs. All calls come on one thread."""

    mail: Callable[[str], Answer] = lambda sender: None
    rcpt: Callable[[str], Answer] = lambda recipient: None
    # Called with the mail after the final dot; `taken` gets it only when the answer is None or 2xx.
    data: Callable[[Mail], Answer] = lambda mail: None
    # Seconds before the reply to the final dot.
    data_delay: float = 0
    # True: a mail that is answered by DISCONNECT counts as taken (the reply was lost, not the mail).
    keeps_on_disconnect: bool = True


@dataclass
class _Handler:
    script: Script
    taken: list[Mail] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @staticmethod
    def _say(server: SMTP, answer: Answer, usual: str) -> str:
        if answer is DISCONNECT:
            server.transport.abort()
            return "421 4.4.2 gone"
        return usual if answer is None else str(answer)

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope,
                          address: str, options: list[str]) -> str:
        answer = self._say(server, self.script.mail(address), "250 2.1.0 Ok")
        if answer.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope,
                          address: str, options: list[str]) -> str:
        answer = self._say(server, self.script.rcpt(address), "250 2.1.5 Ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        sender = "" if envelope.mail_from in (None, "<>") else envelope.mail_from  # aiosmtpd keeps the brackets of <>
        mail = Mail(sender, tuple(envelope.rcpt_tos), envelope.original_content or b"")
        if self.script.data_delay:
            await asyncio.sleep(self.script.data_delay)
        answer = self.script.data(mail)
        if answer is None or (answer is DISCONNECT and self.script.keeps_on_disconnect) or str(answer).startswith("2"):
            with self.lock:
                self.taken.append(mail)
        return self._say(server, answer, "250 2.0.0 Ok")


class ScriptedServer:
    """An SMTP server whose answers a test writes, on a thread of this process."""

    def __init__(self, script: Script | None = None, *, port: int | None = None, host: str = "127.0.0.1",
                 tls_context: object | None = None, size_limit: int = 64 << 20, smtputf8: bool = True) -> None:
        self.script = script or Script()
        self._handler = _Handler(self.script)
        self.host, self.port = host, port or free_port(host)
        self._controller = Controller(self._handler, hostname=host, port=self.port, server_hostname="mx.example.test",
                                      data_size_limit=size_limit, enable_SMTPUTF8=smtputf8, decode_data=False,
                                      tls_context=tls_context, ready_timeout=10)
        self._controller.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def mails(self) -> list[Mail]:
        with self._handler.lock:
            return list(self._handler.taken)

    def recipients(self) -> list[str]:
        """Each recipient of each mail taken: one that stands twice was delivered twice."""
        return [recipient for mail in self.mails() for recipient in mail.recipients]

    def close(self) -> None:
        """May be called again: a test that ends it early leaves the rest to own()."""
        if not self._controller.loop.is_closed():
            self._controller.stop(no_assert=True)
