"""Configuration that Kubernetes mounts is read again when the folder shows something else; a wrong one changes nothing."""

import json
import smtplib
import ssl
from pathlib import Path
from typing import Any

from support.certificates import Certificate, issue_certificate, make_certificate
from support.waiting import wait_until

LISTENERS = {"ingress": {"smtp": [{"listen": "127.0.0.1:0", "kind": "submission"}],
                         "budgets": {"auth_failures_per_address_max": 1000, "auth_failures_per_account_max": 1000}}}


class Volume:
    """A folder as the kubelet writes one: all files at once, by a new `..data`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writes = 0
        folder.mkdir()

    def write(self, files: dict[str, str]) -> None:
        self._writes += 1
        shown = self.folder / f"..2026_11_23_{self._writes}"
        shown.mkdir()
        for name, content in files.items():
            (shown / name).write_text(content)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        (self.folder / "..data_tmp").symlink_to(shown.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")


def account(name: str, pool: str = "default") -> dict[str, Any]:
    return {"tenants": [{"name": name, "pool": pool, "credentials": [{"username": name, "password": "secret"}]}]}


def test_a_volume_that_changes(make_godwit, tmp_path) -> None:
    godwit = make_godwit(LISTENERS)
    volume = Volume(tmp_path / "mounted")

    def show(control: dict[str, Any], **more: Any) -> None:
        config = godwit.config | {"data_dir": str(tmp_path / "kept")} | more
        volume.write({"godwit.yaml": json.dumps(config), "control.yaml": json.dumps(control)})

    def logs_in(name: str) -> bool:
        with smtplib.SMTP(*godwit.submission) as client:
            try:
                client.login(name, "secret")
            except smtplib.SMTPAuthenticationError:
                return False
            return True

    show(account("ann"))
    godwit.config_file = volume.folder / "godwit.yaml"
    godwit.start()
    assert logs_in("ann") and not logs_in("bob")

    show(account("bob"))
    wait_until(lambda: logs_in("bob"), 30, "the account that the volume has now")
    assert not logs_in("ann")
    assert godwit.metric("godwit_process_last_reload_successful") == 1

    show(account("ann", pool="nowhere"))
    wait_until(lambda: godwit.metric("godwit_process_last_reload_successful") == 0, 30, "a metric that tells")
    assert godwit.metric("godwit_process_reload_failures_total") == 1, "tried once"
    assert "nowhere" in godwit.process.errors()
    assert logs_in("bob") and not logs_in("ann"), "a wrong file changes nothing"

    show(account("bob"), observe=godwit.config["observe"] | {"log_levels": "debug"})
    wait_until(lambda: godwit.metric("godwit_process_reload_failures_total") == 2, 30, "a configuration that is wrong")
    assert logs_in("bob")

    show(account("ann"))
    wait_until(lambda: logs_in("ann"), 30, "a volume that is right again")
    wait_until(lambda: godwit.metric("godwit_process_last_reload_successful") == 1, 30, "a metric that tells")


def test_a_certificate_of_the_administration_that_is_rotated(make_godwit, tmp_path) -> None:
    authority = make_certificate(tmp_path, "authority")
    first, second = (issue_certificate(tmp_path, authority, f"/CN={name}", "DNS:mta1") for name in ("first", "second"))
    volume = Volume(tmp_path / "tls")

    def show(certificate: Certificate, key: Certificate) -> None:
        volume.write({"tls.crt": certificate.certificate.read_text(), "tls.key": key.key.read_text()})

    show(first, first)
    godwit = make_godwit({"admin": {"tls": {"certificate": str(volume.folder / "tls.crt"),
                                            "key": str(volume.folder / "tls.key")},
                                    "ctl": {"ca": str(authority.certificate), "server_name": "mta1"}}})
    godwit.start()

    def served() -> bytes:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", godwit.admin_port), timeout=20))

    def der(certificate: Certificate) -> bytes:
        return ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())

    assert served() == der(first)
    show(second, second)
    wait_until(lambda: served() == der(second), 60, "the new certificate without a restart")
    assert godwit.command("ctl", "info", "-c", godwit.config_file).returncode == 0
    wait_until(lambda: godwit.metric("godwit_process_reloads_total") == 1, 30, "the volume was noticed")
    assert godwit.metric("godwit_process_last_reload_successful") == 1

    show(second, first)
    wait_until(lambda: godwit.metric("godwit_process_last_reload_successful") == 0, 30, "a metric that tells")
    assert "admin: " in godwit.process.errors()
