"""Who may ask a process, over TLS, by token or client certificate; and what a change leaves in the audit."""

import json
import subprocess
from pathlib import Path

import pytest
from support.certificates import Certificate, issue_certificate, make_certificate

VIEWER = "a-token-of-one-who-looks"
OPERATOR = "a-token-of-an-operator"


class Guarded:
    """A process whose service has TLS, two tokens and two certificates; and those who ask it."""

    def __init__(self, start_godwit, directory: Path) -> None:
        self.directory = directory
        self.authority = make_certificate(directory, "authority")
        self.ann = issue_certificate(directory, self.authority, "/O=Acme/CN=ann")
        self.robot = issue_certificate(directory, self.authority, "/CN=robot", "URI:spiffe://acme.example/ops")
        self.eve = issue_certificate(directory, self.authority, "/O=Acme/CN=eve")
        own = issue_certificate(directory, self.authority, "/CN=mta1", "DNS:mta1")
        self.godwit = start_godwit(config={"admin": {
            "tls": {"certificate": str(own.certificate), "key": str(own.key),
                    "client_ca": str(self.authority.certificate)},
            "tokens": [{"name": "look", "token": VIEWER, "role": "viewer"},
                       {"name": "ops", "token": OPERATOR, "role": "operator"}],
            "certificates": [{"subject": "CN=ann,O=Acme", "role": "viewer"},
                             {"san": "URI:spiffe://acme.example/ops", "role": "operator"}],
            "ctl": {"server_name": "mta1"},
        }})

    def ask(self, *arguments: str, token: str = "", certificate: Certificate | None = None,
            ca: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """As from another machine: nothing of the configuration file."""
        shown = ["--tls-cert", certificate.certificate, "--tls-key", certificate.key] if certificate else []
        return subprocess.run(
            [*map(str, (self.godwit.executable, "ctl", *arguments, "--admin", f"127.0.0.1:{self.godwit.admin_port}",
                        "--tls-ca", ca or self.authority.certificate, "--tls-name", "mta1", *shown))],
            env={"GODWIT_ADMIN_TOKEN": token}, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def guarded(start_godwit, tmp_path) -> Guarded:
    return Guarded(start_godwit, tmp_path)


def test_a_call_needs_a_role_and_a_change_a_reason(guarded: Guarded) -> None:
    why = ("--reason", "looking for what is slow")
    for who in ({"token": VIEWER}, {"certificate": guarded.ann}):
        assert guarded.ask("info", **who).returncode == 0
        refused = guarded.ask("log-level", "debug", *why, **who)
        assert refused.returncode == 3
        assert "SetLogLevel needs the role operator" in refused.stderr
    for who in ({"token": OPERATOR}, {"certificate": guarded.robot}):
        for reason, says in ((("--reason", " "), "SetLogLevel needs a reason"), ((), "--reason")):
            refused = guarded.ask("log-level", "debug", *reason, **who)
            assert refused.returncode != 0
            assert says in refused.stderr
        assert guarded.ask("log-level", **who).stdout == "info\n", "nothing was changed so far"
        assert guarded.ask("log-level", "debug", *why, **who).returncode == 0
        assert guarded.ask("log-level", "info", *why, **who).returncode == 0
        assert "needs the role admin" in guarded.ask("get", **who).stderr

    entries = json.loads(guarded.ask("audit-log", "--json", token=VIEWER).stdout)["entries"]
    assert [(entry["action"], entry["actor"], entry["reason"], entry["subject"]) for entry in reversed(entries)] == [
        ("log-level", "token ops", why[1], "debug"), ("log-level", "token ops", why[1], "info"),
        ("log-level", "certificate CN=robot", why[1], "debug"), ("log-level", "certificate CN=robot", why[1], "info")]
    assert all("127.0.0.1" in entry["client"] for entry in entries)
    # With the file a command needs no more: it shows the token of the strongest role.
    assert guarded.godwit.command("ctl", "info", "-c", guarded.godwit.config_file).returncode == 0
    assert guarded.godwit.audit()["clean"]


def test_strangers_are_turned_away_and_no_token_is_repeated(guarded: Guarded, tmp_path: Path) -> None:
    nobody = guarded.ask("info")
    assert (nobody.returncode, "needs a client certificate, or a token" in nobody.stderr) == (3, True), nobody.stderr
    wrong = guarded.ask("info", token=VIEWER + "!", certificate=guarded.robot)
    assert (wrong.returncode, "the token is not known here" in wrong.stderr) == (3, True), wrong.stderr
    unknown = guarded.ask("info", certificate=guarded.eve)
    assert (unknown.returncode, "certificate CN=eve,O=Acme has none" in unknown.stderr) == (3, True), unknown.stderr

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    twin = make_certificate(elsewhere, "authority")
    forged = issue_certificate(elsewhere, twin, "/O=Acme/CN=ann")
    for refused in (guarded.ask("info", certificate=forged), guarded.ask("info", token=VIEWER, ca=twin.certificate)):
        assert (refused.returncode, "nothing answers" in refused.stderr) == (3, True), refused.stderr
    in_the_clear = subprocess.run(
        [str(guarded.godwit.executable), "ctl", "info", "--admin", f"127.0.0.1:{guarded.godwit.admin_port}"],
        env={"GODWIT_ADMIN_TOKEN": VIEWER}, capture_output=True, text=True, timeout=60, check=False)
    assert in_the_clear.returncode == 3
    assert "do both speak TLS or neither?" in in_the_clear.stderr

    assert guarded.ask("health", "sender").returncode == 0, "a probe shows nothing"
    assert guarded.godwit.terminate() == 0
    log = guarded.godwit.process.errors()
    assert "a call was refused" in log
    assert "a-token-of" not in log


def test_files_that_cannot_be_used_are_named_by_check(guarded: Guarded) -> None:
    godwit = guarded.godwit
    assert godwit.command("check", "-c", godwit.config_file).returncode == 0
    for key, file in (("key", guarded.ann.key), ("certificate", guarded.directory / "nowhere.crt"),
                      ("client_ca", guarded.ann.key)):
        godwit.config["admin"]["tls"] |= {key: str(file)}
        godwit.write_files()
        refused = godwit.command("check", "-c", godwit.config_file)
        assert refused.returncode == 1
        assert "admin: " in refused.stderr
