"""What is in the image."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MIB_MAX = 250
NOBODY = 10001


class Archive:
    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path)
        (manifest,) = json.loads(self._read("index.json"))["manifests"]
        self._manifest: dict[str, Any] = json.loads(self._blob(manifest["digest"]))
        self.config: dict[str, Any] = json.loads(self._blob(self._manifest["config"]["digest"]))

    def _read(self, name: str) -> bytes:
        member = self._tar.extractfile(name)
        assert member
        return member.read()

    def _blob(self, digest: str) -> bytes:
        return self._read("blobs/" + digest.replace(":", "/"))

    def layers(self) -> Iterator[tarfile.TarFile]:
        for layer in self._manifest["layers"]:
            packed = self._blob(layer["digest"])
            yield tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed))

    def files(self) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
        """What a container finds, by its path: the last layer that has it. Contents of the executable only."""
        found: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for layer in self.layers():
            for member in layer:
                name = member.name.removeprefix("./")
                file = layer.extractfile(member) if name == "usr/local/bin/godwit" else None
                found[name] = (member, file.read() if file else b"")
        return found


@pytest.fixture(scope="module")
def contents(archive: Path) -> Archive:
    return Archive(archive)


@pytest.fixture(scope="module")
def files(contents: Archive) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    return contents.files()


def test_size(contents: Archive) -> None:
    """Of all layers, unpacked: what a node stores."""
    octets = sum(member.size for layer in contents.layers() for member in layer)
    print(f"{octets >> 20} MiB unpacked")
    assert octets < MIB_MAX << 20


def test_user_and_command(contents: Archive) -> None:
    config = contents.config["config"]
    assert config["User"] == f"{NOBODY}:{NOBODY}"
    assert config["Entrypoint"] == ["godwit"]
    assert config["Cmd"][0] == "run"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.version"]


def test_data_belongs_to_its_user(files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    data, _ = files["var/lib/godwit"]
    assert (data.uid, data.gid, data.mode & 0o777) == (NOBODY, NOBODY, 0o700)


def test_nothing_changes_its_user(files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    assert not [name for name, (member, _) in files.items() if member.isfile() and member.mode & 0o6000]


def test_executable_is_stripped(files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    member, octets = files["usr/local/bin/godwit"]
    assert member.mode & 0o777 == 0o755 and member.uid == 0, "nobody but root replaces it"
    assert octets[:4] == b"\x7fELF"
    assert b".symtab" not in octets and b".debug_info" not in octets


def test_what_it_reads_of_the_system(files: dict[str, tuple[tarfile.TarInfo, bytes]]) -> None:
    """Whom delivery trusts over TLS. No trust anchor of the DNS: Godwit would use it, and names like svc.cluster.local do
    not exist for who validates."""
    assert "etc/ssl/certs/ca-certificates.crt" in files
    assert "usr/share/dns/root.key" not in files
