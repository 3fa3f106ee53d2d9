"""Generators and sinks: Postfix's, and ours."""

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from support.addresses import free_port
from support.bench import BenchSink
from support.process import Process
from support.waiting import wait_until

from compare.loads import CONNECTIONS, Load

SEND_SECONDS = 60  # no run is planned to take a quarter of it


@dataclass(frozen=True)
class Sent:
    """What a generator says of its run; latencies are from the final dot to its 250, None where it does not know."""

    p50_ms: float | None = None
    p99_ms: float | None = None


def send(executable: Path, load: Load, address: tuple[str, int], messages: int, seconds: float = SEND_SECONDS) -> Sent:
    """Returns when each of them was answered 250; anything else is an AssertionError."""
    if load.tools == "postfix":
        _smtp_source(load, address, messages, seconds)
        return Sent()
    return _our_source(executable, load, address, messages, seconds)


def _shares(messages: int, parts: int) -> list[int]:
    return [messages // parts + (n < messages % parts) for n in range(parts)]


def _together(commands: list[list[str]], seconds: float) -> list[str]:
    """Runs them side by side; what each printed. One that fails, or the time that is up, ends all of them."""
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
                for command in commands]
    deadline = time.monotonic() + seconds
    printed = []
    try:
        for child in children:
            out, errors = child.communicate(timeout=max(0.1, deadline - time.monotonic()))
            assert child.returncode == 0, f"{child.args[0]} {child.returncode}: {errors[-500:]}"  # type: ignore[index]
            printed.append(out)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not all messages were taken in {seconds:.0f} s") from None
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.communicate()
    return printed


def _smtp_source(load: Load, address: tuple[str, int], messages: int, seconds: float) -> None:
    """It knows one recipient domain, so there is a process for each; they share connections and messages."""
    assert CONNECTIONS % load.domains == 0 and not load.tls and not load.per_connection, load
    _together([["smtp-source", "-4", "-d", "-s", str(CONNECTIONS // load.domains), "-l", str(load.size), "-m", str(share),
                "-f", "ann@sender.test", "-t", f"bob@d{n}.{load.domain}", f"{address[0]}:{address[1]}"]
               for n, share in enumerate(_shares(messages, load.domains)) if share], seconds)


def _our_source(executable: Path, load: Load, address: tuple[str, int], messages: int, seconds: float) -> Sent:
    command = [executable, "bench", "source", "--to", f"{address[0]}:{address[1]}", "--size", load.size,
               "--connections", load.connections, "--pipelining", load.pipelining,
               "--tls", "starttls" if load.tls else "none", "--domains", load.domain, "--domain-count", load.domains,
               "--recipients", load.recipients, "--messages", messages, "--duration", f"{seconds}s", "--json"]
    if load.per_connection:
        command += ["--messages-per-connection", load.per_connection]
    if load.threads:
        command += ["--threads", load.threads]
    command += ["--sender", "bench@sender.test", "--sender-count", load.senders]
    report = json.loads(_together([[str(part) for part in command]], seconds + 60)[0])
    assert report["accepted"] == messages, f"bench source: {report['accepted']} of {messages} accepted; refused {report['refusals']}"
    return Sent(report["latency"]["dot"]["p50_ms"], report["latency"]["dot"]["p99_ms"])


class Sink:
    """Where mail ends. `count()` is of messages that came with their last octet, taken or refused."""

    address: tuple[str, int]
    pid: int

    def count(self) -> int:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def wait_for(self, messages: int, seconds: float = SEND_SECONDS) -> None:
        wait_until(lambda: self.count() >= messages, seconds,
                   lambda: f"{messages} mails at the sink, {self.count()} came")


class SmtpSink(Sink):
    """Postfix's smtp-sink, which counts the mails it took."""

    def __init__(self, directory: Path) -> None:
        self.address = "127.0.0.1", free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._process = Process("smtp-sink", ["smtp-sink", "-4", *user, "-c", "-m", "512",
                                              f"127.0.0.1:{self.address[1]}", "1024"], directory)
        self.pid = self._process.pid
        wait_until(lambda: self._process.listens(self.address[1]), 10, "smtp-sink listens")

    def count(self) -> int:
        with self._process.out.open("rb") as out:
            out.seek(max(0, out.seek(0, os.SEEK_END) - 200))
            counts = re.findall(rb"mesg=\s*(\d+)", out.read())
        return int(counts[-1]) if counts else 0

    def close(self) -> None:
        self._process.clean_up()


class OurSink(Sink):
    """`godwit bench sink`, whose ledger has a line for each message; `rules` are its own, beside those of the load."""

    def __init__(self, executable: Path, directory: Path, load: Load, *rules: str) -> None:
        if load.deferred:
            rules += (f'{{stage: dot, probability: {load.deferred}, reply: "451 4.3.0 Try again later"}}',)
        self._ledger = directory / "bench-sink.ledger"
        self._sink = BenchSink(executable, directory, *[part for rule in rules for part in ("--rule", rule)],
                               tls="starttls" if load.tls else "none", name="bench-sink", threads=load.threads)
        host, _, port = self._sink.address.rpartition(":")
        self.address, self.pid = (host, int(port)), self._sink.process.pid
        self._read, self._lines, self._tls = 0, 0, load.tls

    def count(self) -> int:
        if self._ledger.exists():
            with self._ledger.open("rb") as ledger:
                ledger.seek(self._read)
                new = ledger.read()
            whole = new[:new.rfind(b"\n") + 1]
            self._read += len(whole)
            self._lines += whole.count(b"\n")
            assert not self._tls or whole.count(b'"tls":') == whole.count(b"\n"), "mail came to the sink in clear"
        return self._lines

    def close(self) -> None:
        self._sink.close()


def make_sink(executable: Path, directory: Path, load: Load) -> Sink:
    return SmtpSink(directory) if load.tools == "postfix" else OurSink(executable, directory, load)
