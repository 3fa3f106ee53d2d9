"""Certificates for a host: self-signed ones, and ones that such a one has issued."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


def make_certificate(directory: Path, name: str = "localhost", address: str = "127.0.0.1") -> Certificate:
    """Good for that name and that address ("": for the name only)."""
    names = f"DNS:{name}" + (f",IP:{address}" if address else "")
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
         "-keyout", str(made.key), "-out", str(made.certificate)],
        check=True, capture_output=True)
    return made


def issue_certificate(directory: Path, authority: Certificate, subject: str, names: str = "") -> Certificate:
    """Of a client or server, by a self-signed `authority`: subject as "/O=Acme/CN=ann", names as "DNS:a,URI:b"."""
    stem = subject.rsplit("=", 1)[-1]
    made = Certificate(directory / f"{stem}.crt", directory / f"{stem}.key")
    extensions = ["-addext", f"subjectAltName={names}"] if names else []
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-subj", subject, "-addext", "basicConstraints=critical,CA:FALSE", *extensions,
         "-CA", str(authority.certificate), "-CAkey", str(authority.key),
         "-keyout", str(made.key), "-out", str(made.certificate)],
        check=True, capture_output=True)
    return made
