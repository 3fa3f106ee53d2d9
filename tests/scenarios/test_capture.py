"""The configuration of `make run`: mail to anybody is kept for looking at, and nothing leaves the machine."""

import re
import shutil
from pathlib import Path

import pytest

from support.godwit import Godwit
from support.mail import swaks
from support.waiting import wait_until

DEV = Path(__file__).resolve().parents[2] / "deploy/dev"


@pytest.fixture
def demo(make_godwit, tmp_path, certificate) -> Godwit:
    """deploy/dev as it is, but for its ports."""
    node = make_godwit()
    shutil.copy(DEV / "control.yaml", node.directory / "control.yaml")
    text = (DEV / "godwit.yaml").read_text()
    text = re.sub(r'"127\.0\.0\.1:(\d+)"',
                  lambda m: f'"127.0.0.1:{ {"8026": node.admin_port, "8027": node.observe_port}.get(m[1], 0) }"',
                  text)
    text = re.sub(r"data_dir: \S+", "data_dir: data", text)
    text = re.sub(r"certificate: \S+?([,}\n])", rf"certificate: {certificate.certificate}\1", text)
    text = re.sub(r"key: \S+?([,}\n])", rf"key: {certificate.key}\1", text, count=1)
    node.config_file.write_text(text)
    return node.start()


def test_capture(demo: Godwit) -> None:
    sent = swaks(demo.relay, "--header", "Subject: caught", to="anybody@anywhere.example")
    assert sent.status == 0, sent.transcript
    demo.wait_for_event("delivered", message_id=sent.queued)

    listed = wait_until(demo.captured, 20, "a captured mail")
    assert len(listed) == 1
    assert listed[0]["subject"] == "caught"
    assert listed[0]["sender"] == "ann@sender.test"
    assert listed[0]["recipients"] == ["anybody@anywhere.example"]

    shown = demo.command("capture", "show", "-c", demo.config_file, listed[0]["id"])
    assert shown.returncode == 0, shown.stderr
    assert "Subject: caught" in shown.stdout
    assert "This is a test mailing" in shown.stdout

    none = demo.command("capture", "show", "-c", demo.config_file, "01900000-0000-7000-8000-000000000000")
    assert none.returncode == 1


def test_demo_credentials(demo: Godwit) -> None:
    """What `make run` prints works."""
    sent = swaks(demo.submission, "--tls", "--auth", "PLAIN", "--auth-user", "demo", "--auth-password", "demo",
                 sender="hello@demo.example")
    assert sent.status == 0, sent.transcript
    demo.wait_for_event("delivered", message_id=sent.queued, tenant="demo")


def test_pages(demo: Godwit) -> None:
    http = demo.address("http")
    sent = swaks(demo.relay, "--header", "Subject: <script>alert(1)</script>")
    demo.wait_for_event("delivered", message_id=sent.queued)
    mail_id = wait_until(demo.captured, 20, "a captured mail")[0]["id"]

    status, landing = demo.get("/", http)
    assert status == 200
    link = re.search(r'href="(/[^"]*capture[^"]*)"', landing)
    assert link, landing
    status, listing = demo.get(link[1], http)
    assert status == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in listing
    assert "<script>" not in listing
    page = re.search(rf'href="(/[^"]*{mail_id}[^"]*)"', listing)
    assert page, listing
    status, mail = demo.get(page[1], http)
    assert status == 200
    assert "This is a test mailing" in mail
    assert demo.get("/nowhere", http)[0] == 404
    assert demo.get("/../../etc/passwd", http)[0] in (400, 404)
