"""A node whose mail meets everything that a metric tells of: hosts that defer, refuse, are slow or not there, clients
that are turned away, logins that fail. It goes on, gently, until it is closed."""

import smtplib
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from support.addresses import free_port
from support.bench import BenchSink
from support.certificates import Certificate
from support.godwit import HASTY, RELAY, Godwit, Installation
from support.mail import Client, message

# Of a second: one round of mails, one to each domain.
INTERVAL = 0.2

RULES = (
    '{"stage": "rcpt", "domain": "full.test", "reply": "452 4.2.2 Mailbox full"}',
    '{"stage": "rcpt", "domain": "gone.test", "reply": "550 5.1.1 No such user"}',
    '{"stage": "dot", "domain": "spam.test", "reply": "554 5.7.1 This looks like spam"}',
)
# By what becomes of their mail.
DOMAINS = ("fine.test", "full.test", "gone.test", "spam.test", "slow.test", "away.test", "unknown.test")


def routes(sink: str) -> list[dict[str, str]]:
    """Where mail goes: to the sink, as if to a provider; to a port where nobody listens; or by a DNS that is broken."""
    return [{"domain": domain, "to": sink, "site": site} for domain, site in (
        ("fine.test", "google"), ("full.test", "microsoft"), ("gone.test", "yahoo"), ("spam.test", "apple"),
        ("slow.test", "slowpoke"))] + [{"domain": "away.test", "to": f"127.0.0.1:{free_port()}"}]


def config(sink: str) -> dict[str, object]:
    return {
        "ingress": {"smtp": [RELAY, {"listen": "127.0.0.1:0", "kind": "submission"},
                             {"listen": "127.0.0.1:0", "kind": "inbound"}]},
        "bounce": {"domain": "bounces.test"},
        "dns": {"servers": [f"127.0.0.1@{free_port()}"], "timeout": "1s"},
        "sender": {"routes": routes(sink), "retry": HASTY, "notify": True},
    }


CONTROL = {
    "tenants": [{"name": "acme", "credentials": [{"username": "acme", "password": "secret"}]}],
    "shaping": [{"site": "slowpoke", "max_message_rate": "1/s"}],
}


class Trouble:
    """The load: a round of mails each INTERVAL, and a client of every bad kind."""

    def __init__(self, node: Installation) -> None:
        self._node = node
        self._stop = threading.Event()
        self.errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(INTERVAL):
            number += 1
            try:
                self._send_round(number)
                if number % 5 == 1:
                    self._be_turned_away()
            except (OSError, smtplib.SMTPException) as error:
                self.errors.append(error)

    def _send_round(self, number: int) -> None:
        with Client(self._node.relay) as client:
            for domain in DOMAINS:
                client.submit(message(), "ann@sender.test", f"bob{number}@{domain}")

    def _be_turned_away(self) -> None:
        with Client(self._node.relay) as client:
            client.ehlo()
            assert client.mail("ann@sender.test", ("SIZE=999999999",))[0] == 552
        with smtplib.SMTP(*self._node.submission, timeout=30) as client:
            client.starttls(context=_trusting())
            try:
                client.login("acme", "wrong")
            except smtplib.SMTPAuthenticationError:
                pass
            client.ehlo()
            client.login("acme", "secret")

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Troubled:
    """One process with the embedded log."""

    topics = {"accepted.urgent", "outbound.urgent"}

    def __init__(self, executable: Path, directory: Path, certificate: Certificate) -> None:
        self._closers: list[Callable[[], None]] = []
        options = [part for rule in RULES for part in ("--rule", rule)]
        sink = BenchSink(executable, directory, *options, tls="starttls")
        self._closers.append(sink.close)
        self.godwit = Godwit(executable, directory / "node", config(sink.address), CONTROL, certificate)
        self._closers.append(self.godwit.close)

    def start(self) -> None:
        self.godwit.start()
        self.trouble = Trouble(self.godwit)
        self._closers.append(self.trouble.close)

    def close(self) -> None:
        for close in reversed(self._closers):
            close()
