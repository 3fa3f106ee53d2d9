"""A node whose mail meets everything that a metric tells of: hosts that defer, refuse, are slow or not there, clients
that are turned away, logins that fail. It goes on, gently, until it is closed."""

import contextlib
import json
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from support.addresses import free_port
from support.bench import BenchSink
from support.certificates import Certificate
from support.exposition import Family, parse
from support.godwit import HASTY, RELAY, Godwit, Installation, merged
from support.mail import Client, message
from support.overtaking import URGENT_MAIL
from support.prometheus import Prometheus

# Of a second: one round of mails, one to each domain.
INTERVAL = 0.2

RULES = (
    '{"stage": "rcpt", "domain": "full.test", "reply": "452 4.2.2 Mailbox full"}',
    '{"stage": "rcpt", "domain": "gone.test", "reply": "550 5.1.1 No such user"}',
    '{"stage": "dot", "domain": "spam.test", "reply": "554 5.7.1 This looks like spam"}',
)
# By what becomes of their mail.
DOMAINS = ("fine.test", "full.test", "gone.test", "spam.test", "slow.test", "away.test", "unknown.test")
# Mail of this sender's tenant has a pool without a source.
STRANDED = "ann@stranded.test"


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
    "tenants": [{"name": "acme", "credentials": [{"username": "acme", "password": "secret"}]},
                {"name": "stranded", "pool": "empty", "domains": [{"name": "stranded.test", "verified": True}]}],
    "pools": {"empty": [{"source": "default", "weight": 0}]},
    "shaping": [{"site": "slowpoke", "max_message_rate": "1/s"}],
}


class Trouble:
    """The load: a round of mails each INTERVAL, and a client of every bad kind."""

    def __init__(self, node: Installation) -> None:
        self._node = node
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(INTERVAL):
            number += 1
            # What goes wrong here is seen by the test whose metric does not come.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._send_round(number)
                if number % 5 == 1:
                    self._be_turned_away()

    def _send_round(self, number: int) -> None:
        with Client(self._node.relay) as client:
            for domain in DOMAINS:
                client.submit(message(), "ann@sender.test", f"bob{number}@{domain}")
            client.submit(URGENT_MAIL, "ann@sender.test", f"eve{number}@fine.test")
            if number == 1:
                client.submit(message(sender=STRANDED), STRANDED, "bob@fine.test")

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
    """One process with every role. `changes` are laid over its configuration: another log, say."""

    # Their names have a dot, which a domain's has, too.
    topics = {"accepted.urgent", "outbound.urgent"}

    def __init__(self, executable: Path, directory: Path, certificate: Certificate,
                 changes: Mapping[str, object] | None = None) -> None:
        self._closers: list[Callable[[], None]] = []
        options = [part for rule in RULES for part in ("--rule", rule)]
        sink = BenchSink(executable, directory, *options, tls="starttls")
        self._closers.append(sink.close)
        self.godwit = Godwit(executable, directory / "node", merged(config(sink.address), changes or {}), CONTROL,
                             certificate)
        self._closers.append(self.godwit.close)

    def start(self) -> "Troubled":
        self.godwit.start()
        self._closers.append(Trouble(self.godwit).close)
        return self

    def catalogue(self) -> dict[str, dict[str, Any]]:
        """What `godwit metrics` says there can be, by name."""
        done = self.godwit.command("metrics", "--json")
        assert done.returncode == 0, done.stderr
        return {one["name"]: one for one in json.loads(done.stdout)}

    def exposed(self) -> dict[str, Family]:
        """What /metrics says now."""
        status, page = self.godwit.get("/metrics")
        assert status == 200
        return parse(page)

    def close(self) -> None:
        for close in reversed(self._closers):
            close()


@contextlib.contextmanager
def scraped(troubled: Troubled, directory: Path) -> Iterator[Prometheus]:
    """A Prometheus that has seen it for a while."""
    server = Prometheus(directory, [(f"127.0.0.1:{troubled.godwit.observe_port}", {"namespace": "mail", "pod": "godwit-0"})])
    with contextlib.closing(server):
        # A rate needs two scrapes; those of lanes begin when there are lanes.
        server.wait_until_up(scrapes=3)
        yield server
