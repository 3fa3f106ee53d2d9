"""The targets of speed, each computed from what was measured: met, not met, or not measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compare.loads import LOADS
from compare.results import Results


@dataclass(frozen=True)
class Part:
    """One number of a target: what it is, and where it must be."""

    text: str
    value: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        return f"{self.text} {self.value:.3g} (wanted {'at least' if self.at_least else 'at most'} {self.bound:.3g})"


@dataclass(frozen=True)
class Target:
    work: str
    against: str
    target: str
    parts: tuple[Part, ...]

    @property
    def measured(self) -> str:
        return "; ".join(str(part) for part in self.parts)

    @property
    def verdict(self) -> str:
        if not self.parts:
            return "not measured"
        return "**met**" if all(part.met for part in self.parts) else "not met"


def at_least(text: str, value: float, bound: float) -> Part:
    return Part(text, value, bound, True)


def at_most(text: str, value: float, bound: float) -> Part:
    return Part(text, value, bound, False)


def _relay(results: Results) -> list[Part]:
    own, postfix, direct = (results.row("relay-5k", peer) for peer in ("godwit", "postfix", "direct"))
    if not (own and postfix and direct):
        return []
    return [at_most("CPU of Postfix's", own.cpu_ms / postfix.cpu_ms, 1 / 12),
            at_least("messages/s", own.rate, min(8 * postfix.rate, 0.8 * direct.rate))]


def _pipelined(results: Results) -> list[Part]:
    own, direct = (results.row("relay-5k-20", peer) for peer in ("godwit", "direct"))
    return [at_least("of the messages/s", own.rate / direct.rate, 0.4)] if own and direct else []


def _accept(results: Results) -> list[Part]:
    own, direct = (results.row("accept-5k", peer) for peer in ("godwit", "direct"))
    if not (own and direct):
        return []
    return [at_least("of the messages/s", own.rate / direct.rate, 0.8), at_most("of the CPU", own.cpu_ms / direct.cpu_ms, 2)]


def _relay_large(results: Results) -> list[Part]:
    own, postfix, direct = (results.row("relay-100k", peer) for peer in ("godwit", "postfix", "direct"))
    disk = results.answers.get("disk")
    if not (own and postfix and direct and disk):
        return []
    allowed = min(direct.rate, disk["octets_per_second"] / LOADS["relay-100k"].size)
    return [at_least("messages/s", own.rate, min(8 * postfix.rate, 0.7 * allowed))]


def _log_octets(results: Results) -> list[Part]:
    parts = []
    for load, peer, name, bound in (("relay-5k", "godwit", "embedded 5 KiB", 1.3),
                                    ("relay-100k", "godwit", "embedded 100 KiB", 1.1),
                                    ("relay-5k", "godwit-kafka-1", "Kafka 5 KiB", 2.3),
                                    ("relay-100k", "godwit-kafka-1", "Kafka 100 KiB", 1.2)):
        row = results.row(load, peer)
        if row and row.log_octets is not None:
            parts.append(at_most(name, row.log_octets / LOADS[load].size, bound))
    return parts


def _tls(results: Results) -> list[Part]:
    plain, tls = (results.row(load, "godwit") for load in ("relay-5k-20", "relay-5k-20-tls"))
    return [at_least("of the messages/s", tls.rate / plain.rate, 0.6)] if plain and tls else []


def _answer(name: str, make: Callable[[dict[str, Any]], list[Part]]) -> Callable[[Results], list[Part]]:
    return lambda results: make(results.answers[name]) if name in results.answers else []


def _memory(results: Results) -> list[Part]:
    own = results.row("relay-5k", "godwit")
    return [at_most("MB", own.private_mib * 2**20 / 1e6, 200)] if own else []


_ROWS: list[tuple[str, str, str, Callable[[Results], list[Part]]]] = [
    ("relay end to end, 5 KiB", "Postfix; the tools without a relay",
     "CPU at most 1/12; messages/s 8x, or 0.8x of the tools alone, whichever is lower", _relay),
    ("relay, 5 KiB, 20 a connection, pipelined, our tools, one thread each", "generator straight into sink", "0.4x", _pipelined),
    ("acceptance, 5 KiB", "smtp-sink, which stores nothing", "0.8x the messages/s, at most 2x its CPU", _accept),
    ("relay, 100 KiB", "Postfix; disk and loopback", "8x, or 0.7x of what disk and loopback allow, whichever is lower",
     _relay_large),
    ("log octets a message, without parking", "octets accepted",
     "embedded 1.3x at 5 KiB, 1.1x at 100 KiB; Kafka before replication 2.3x, 1.2x above the inline threshold", _log_octets),
    ("relay with TLS on both sides, 20 a connection, resumed sessions", "itself without TLS", "0.6x", _tls),
    ("acceptance into three Kafka brokers, `acks=all`", "librdkafka's producer benchmark, same record size", "0.6x",
     _answer("kafka-producer", lambda a: [at_least("of the messages/s", a["godwit_per_second"] / a["librdkafka_per_second"], 0.6)])),
    ("cost a message with many queued", "with 1,000 queued", "1.2x",
     _answer("depth", lambda a: [at_most(f"CPU, {a['deep_messages']:,} queued,", a["deep_cpu_ms"] / a["shallow_cpu_ms"], 1.2)])),
    ("1 to 2 cores (4 where there are 8)", "linear", "0.8 of linear",
     _answer("cores", lambda a: [at_least(work, a[f"{work}_of_linear"], 0.8) for work in ("accept", "relay")])),
    ("peak private memory, relay 5 KiB", "Postfix (288 MB), KumoMTA (228 MB)", "200 MB", _memory),
]


def target_rows(results: Results) -> list[Target]:
    return [Target(work, against, target, tuple(compute(results))) for work, against, target, compute in _ROWS]
