"""What is done to each server: the loads, by name."""

from dataclasses import dataclass, replace

CONNECTIONS = 100
KIB = 1024


@dataclass(frozen=True)
class Load:
    """`work`: accept (mail is taken durably and goes nowhere) or relay (it goes through to a sink).

    connections      of our generator; smtp-source's are CONNECTIONS always
    per_connection   messages a connection, on both sides; 0: connections are kept open
    tls              STARTTLS on both sides; sessions are resumed where the server can
    domains          recipient domains, in turn, below `domain`
    deferred         share of first attempts that the sink answers 451 after the final dot. A message counts as soon as
                     it was attempted once: when it is tried again is each server's own affair, and not measured
    tools            postfix: smtp-source and smtp-sink, one core each; godwit: `godwit bench source` and `sink`
    pipelining       of our source: none, envelope, ahead
    recipients       of each message
    threads          of our generator and of our sink, each: one, as smtp-source and smtp-sink have; 0: one a CPU, which
                     is what the two can do with the whole machine and nobody else on it
    senders          domains of senders, d0... below sender.test; they take turns
    syncs            whether calls that sync are counted, in a run of their own
    first            a target is about it: all its rounds come before the other loads, whose runs are half as long
    """

    name: str
    work: str
    size: int = 5 * KIB
    connections: int = CONNECTIONS
    per_connection: int = 0
    tls: bool = False
    domains: int = 20
    domain: str = "example.test"
    deferred: float = 0
    tools: str = "godwit"
    pipelining: str = "envelope"
    threads: int = 1
    recipients: int = 1
    senders: int = 1
    syncs: bool = False
    first: bool = False

    def describe(self) -> str:
        each = f"{self.per_connection} a connection" if self.per_connection else "connections kept open"
        parts = [f"{self.size // KIB} KiB", each, f"{self.domains:,} domain" + ("s" if self.domains > 1 else "")]
        if self.tls:
            parts.append("TLS on both sides" if self.work == "relay" else "TLS")
        if self.deferred:
            parts.append(f"{self.deferred:.0%} deferred")
        if self.tools == "postfix":
            parts.append("smtp-source, smtp-sink")
        else:
            parts.append(f"our tools with {'one thread' if self.threads else 'a thread a CPU'} each, pipelining {self.pipelining}")
        return ", ".join(parts)


_ACCEPT = Load("accept-5k", "accept", tools="postfix", syncs=True, first=True)
_RELAY = Load("relay-5k", "relay", tools="postfix", syncs=True, first=True)
_OUR_ACCEPT = Load("accept-5k-open", "accept")
_OUR_RELAY = Load("relay-5k-open", "relay")

LOADS = {load.name: load for load in [
    _ACCEPT,
    _RELAY,
    replace(_ACCEPT, name="accept-100k", size=100 * KIB, syncs=False),
    replace(_RELAY, name="relay-100k", size=100 * KIB, syncs=False),
    _OUR_ACCEPT,
    replace(_OUR_ACCEPT, name="accept-5k-1", per_connection=1),
    replace(_OUR_ACCEPT, name="accept-5k-20", per_connection=20),
    replace(_OUR_ACCEPT, name="accept-5k-20-tls", per_connection=20, tls=True),
    _OUR_RELAY,
    replace(_OUR_RELAY, name="relay-5k-1", per_connection=1),
    replace(_OUR_RELAY, name="relay-5k-20", per_connection=20, pipelining="ahead", first=True),
    replace(_OUR_RELAY, name="relay-5k-20-tls", per_connection=20, pipelining="ahead", tls=True, first=True),
    replace(_OUR_RELAY, name="relay-5k-20-wide", per_connection=20, pipelining="ahead", threads=0),
    replace(_OUR_RELAY, name="relay-5k-1-domain", domains=1),
    replace(_OUR_RELAY, name="relay-5k-10000-domains", domains=10_000),
    replace(_OUR_RELAY, name="relay-5k-deferred", deferred=0.1),
]}
QUICK = ["accept-5k", "relay-5k", "relay-5k-20", "relay-5k-20-tls"]
