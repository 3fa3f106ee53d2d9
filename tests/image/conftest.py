"""The image that scripts/image made, under containerd; in a network of the tests' own, with the ports of the chart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.chart import ROOT
from support.containerd import Containerd
from support.network import enter_own_network


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--image", type=Path, default=ROOT / "build/image/godwit.oci.tar", help="an OCI archive")


@pytest.fixture(scope="session")
def archive(request: pytest.FixtureRequest) -> Path:
    path = Path(request.config.getoption("--image")).resolve()
    assert path.is_file(), f"{path} is not there: scripts/image makes it"
    return path


@pytest.fixture(scope="session")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    enter_own_network([])
    daemon = Containerd(tmp_path_factory.mktemp("containerd"))
    try:
        yield daemon
    finally:
        daemon.close()


@pytest.fixture(scope="session")
def image(containerd: Containerd, archive: Path) -> str:
    return containerd.load(archive)
