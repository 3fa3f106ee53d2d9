"""A disk that lies: octets of the log change under it. Nothing starts on a damaged log, and repair keeps what it can."""

import json
from pathlib import Path

from support.destinations import Script, ScriptedServer
from support.mail import Client, message


def flip_a_bit_at(directory: Path, text: bytes) -> None:
    """Changes one bit of `text` wherever the segments hold it."""
    found = 0
    for segment in directory.rglob("*.segment"):
        octets = segment.read_bytes()
        at = octets.find(text)
        while at >= 0:
            with segment.open("r+b") as file:
                file.seek(at)
                file.write(bytes([octets[at] ^ 1]))
            found += 1
            at = octets.find(text, at + 1)
    assert found, f"{text!r} is not in the log"


def test_a_damaged_log_is_named_and_repaired(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(rcpt=lambda _: "450 4.2.0 later")))
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        for number in range(3):
            client.submit(message(f"subject-{number}"), "ann@sender.test", f"u{number}@example.test")
            godwit.wait_for_event("deferred", recipient=f"u{number}@example.test")
    # Killed, so that the tables lag and the octets are needed at the next start.
    godwit.kill()
    flip_a_bit_at(godwit.directory / "data", b"subject-1")

    refused = godwit.command("run", "-c", godwit.config_file)
    assert refused.returncode == 3
    assert ".segment" in refused.stderr and "ctl log repair" in refused.stderr, "says where, and what to do"

    repaired = godwit.command("ctl", "log", "repair", "-c", godwit.config_file, "--json")
    assert repaired.returncode == 0, repaired.stderr
    assert json.loads(repaired.stdout)["moved"]

    godwit.start()
    dead = godwit.command("ctl", "dead", "-c", godwit.config_file)
    assert dead.returncode == 0 and "log repair" in dead.stdout
    server.script.rcpt = lambda _: None
    with Client(godwit.relay) as client:
        client.submit(message("after"), "ann@sender.test", "after@example.test")
    godwit.wait_for_event("delivered", recipient="after@example.test")


def test_a_sound_log_needs_no_repair(start_godwit, own) -> None:
    server = own(ScriptedServer(Script()))
    godwit = start_godwit(to=server.address)
    held = godwit.command("ctl", "log", "repair", "-c", godwit.config_file)
    assert held.returncode == 3, "a process holds it"
    assert godwit.terminate() == 0
    sound = godwit.command("ctl", "log", "repair", "-c", godwit.config_file)
    assert sound.returncode == 0 and "nothing to repair" in sound.stdout, sound.stderr
