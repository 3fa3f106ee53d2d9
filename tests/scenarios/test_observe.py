"""What a machine asks a running process: is it alive, is it ready, how does it do; and what SIGHUP changes."""

import json
import re
import signal
import smtplib
import ssl

from support.certificates import make_certificate
from support.destinations import Script, ScriptedServer
from support.mail import Client, Conversation, message
from support.waiting import wait_until


def test_alive_and_ready(start_godwit) -> None:
    godwit = start_godwit()
    assert godwit.get("/livez")[0] == 200
    assert godwit.get("/readyz")[0] == 200
    assert godwit.get("/nothing")[0] == 404


def test_not_ready_while_it_drains(start_godwit, own) -> None:
    server = own(ScriptedServer(Script(data_delay=5)))
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        client.submit(message())
    wait_until(lambda: godwit.counts()["routed"], 20, "a delivery under way")
    godwit.process.signal(signal.SIGTERM)

    def says_no() -> bool:
        try:
            return godwit.get("/readyz")[0] == 503
        except OSError:
            return False

    wait_until(says_no, 10, "503 from /readyz")
    assert godwit.process.wait(30) == 0


def test_metrics(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        for _ in range(5):
            client.submit(message())
    godwit.wait_until_ended(5)
    status, page = godwit.get("/metrics")
    assert status == 200
    samples = [line for line in page.splitlines() if line and not line.startswith("#")]
    assert samples
    for line in samples:
        assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+( \d+)?", line), line
        if not line.startswith("godwit_sender_queue_recipients_by_domain{"):
            assert "example.test" not in line, "labels come from closed sets"
    ours = {re.split(r"[{ ]", line)[0] for line in samples if line.startswith("godwit_")}
    for role in ("ingress", "router", "sender", "log"):
        assert any(name.startswith(f"godwit_{role}_") for name in ours), f"nothing of {role}: {sorted(ours)}"


def test_reload_of_accounts(start_godwit) -> None:
    listeners = {"ingress": {"smtp": [{"listen": "127.0.0.1:0", "kind": "submission"}]}}
    godwit = start_godwit(config=listeners)

    def logs_in() -> bool:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP(*godwit.submission) as client:
            client.starttls(context=context)
            try:
                client.login("acme", "secret")
            except smtplib.SMTPAuthenticationError:
                return False
            return True

    assert not logs_in()
    godwit.control_file.write_text(json.dumps({"tenants": [{
        "name": "acme", "credentials": [{"username": "acme", "password": "secret"}]}]}))
    godwit.process.signal(signal.SIGHUP)
    wait_until(logs_in, 20, "the new account")

    godwit.control_file.write_text("tenants: [{name: acme, pool: nowhere}]")
    godwit.process.signal(signal.SIGHUP)
    wait_until(lambda: "nowhere" in godwit.process.errors(), 20, "a log line that names the problem")
    assert logs_in(), "a wrong file changes nothing"


def test_reload_of_the_certificate(start_godwit, make_godwit, tmp_path) -> None:
    first = make_certificate(tmp_path)
    godwit = start_godwit(config={"ingress": {"tls": {"certificate": str(first.certificate), "key": str(first.key)}}})

    def served() -> bytes:
        with Conversation(godwit.relay) as client:
            client.ask("EHLO client.test")
            assert client.ask("STARTTLS").startswith("220")
            client.start_tls()
            return client._socket.getpeercert(binary_form=True)

    before = served()
    make_certificate(tmp_path)
    godwit.process.signal(signal.SIGHUP)
    wait_until(lambda: served() != before, 20, "the new certificate")
