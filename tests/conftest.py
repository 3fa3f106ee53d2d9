"""Fixtures of all black-box tests.

The stories of tests/scenarios are told in one of two shapes: `--shape=embedded` (default) is one process with the
embedded log; `--shape=kafka` is a broker and a process for each role, for the stories marked `kafka` (and, with
`--long`, `kafka_long`), as they are.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.certificates import Certificate, make_certificate  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.godwit import Godwit, Installation  # noqa: E402
from support.kafka import Brokers, KafkaCluster, wait_for_brokers  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--godwit", type=Path, default=ROOT / "build/test/bin/godwit",
                     help="the executable under test (default: build/test/bin/godwit)")
    parser.addoption("--shape", choices=["embedded", "kafka"], default="embedded", help="what stories are told about")
    parser.addoption("--long", action="store_true", help="with --shape=kafka: all stories that mean something there")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the stories that are not told in this shape."""
    if config.getoption("--shape") == "embedded":
        return
    marks = ["kafka", "kafka_long"] if config.getoption("--long") else ["kafka"]

    def told(item: pytest.Item) -> bool:
        return item.path.parent.name != "scenarios" or any(item.get_closest_marker(mark) for mark in marks)

    left_out = [item for item in items if not told(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if told(item)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows the end of each log its processes wrote."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    directory = getattr(item, "funcargs", {}).get("tmp_path")
    if not report.failed or directory is None:
        return
    for log in sorted([*directory.rglob("*.err"), *directory.rglob("log")]):
        if log.is_file() and (text := log.read_text(errors="replace")):
            report.sections.append((f"the end of {log.relative_to(directory)}", "\n".join(text.splitlines()[-40:])))


@pytest.fixture(scope="session")
def executable(request: pytest.FixtureRequest) -> Path:
    path = request.config.getoption("--godwit").resolve()
    assert path.is_file(), f"{path} is not there: build it, or name another with --godwit"
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """Whatever has a close() and is given to closing.enter_context(contextlib.closing(...)) is closed at the end."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def own(closing: contextlib.ExitStack) -> Callable[[Any], Any]:
    """own(SmtpSink(...)) is that sink, closed when the test ends."""
    def take(thing: Any) -> Any:
        return closing.enter_context(contextlib.closing(thing))

    return take


class SharedBroker:
    """The plugin of a run on several workers: their one broker, which is the process's that hands out the work."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="godwit-broker-"))
        self._cluster = KafkaCluster(self._directory, certificate=make_certificate(self._directory))
        self._cluster.start_broker(0)

    def pytest_configure_node(self, node: Any) -> None:
        """Workers are told where it will be; it starts while they do."""
        certificate = self._cluster.secured.certificate
        assert certificate
        node.workerinput["broker"] = {"plain": self._cluster.plain.bootstrap, "secured": self._cluster.secured.bootstrap,
                                      "certificate": str(certificate.certificate), "key": str(certificate.key)}

    def pytest_unconfigure(self) -> None:
        self._cluster.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    several = getattr(config.option, "numprocesses", None)
    if several and config.getoption("--shape") == "kafka" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SharedBroker(), "shared-broker")


@pytest.fixture(scope="session")
def broker_doors(request: pytest.FixtureRequest,
                 tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Brokers, Brokers]]:
    """A single broker for all tests, each with topics of its own: the door for everybody, and the one with TLS and a
    password."""
    shared = getattr(request.config, "workerinput", {}).get("broker")
    if shared:
        certificate = Certificate(Path(shared["certificate"]), Path(shared["key"]))
        wait_for_brokers(shared["plain"], {0})
        yield Brokers(shared["plain"], 1), Brokers(shared["secured"], 1, certificate)
        return
    directory = tmp_path_factory.mktemp("broker")
    cluster = KafkaCluster(directory, certificate=make_certificate(directory))
    try:
        cluster.start()
        yield cluster.plain, cluster.secured
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def broker(broker_doors: tuple[Brokers, Brokers]) -> Brokers:
    return broker_doors[0]


@pytest.fixture(scope="session")
def secured_broker(broker_doors: tuple[Brokers, Brokers]) -> Brokers:
    return broker_doors[1]


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three brokers, for what replication is about."""
    cluster = KafkaCluster(tmp_path_factory.mktemp("brokers"), brokers=3)
    try:
        yield cluster.start()
    finally:
        cluster.close()


@pytest.fixture
def make_process(executable: Path, tmp_path: Path, certificate: Certificate,
                 own: Callable[[Any], Any]) -> Callable[..., Godwit]:
    """make_process(config=..., control=...) is one process, whatever the shape, as make_godwit is else."""
    count = 0

    def make(config: dict[str, Any] | None = None, control: dict[str, Any] | None = None,
             directory: Path | None = None, prefix: tuple[str, ...] = ()) -> Godwit:
        nonlocal count
        count += 1
        where = directory or tmp_path / (f"node{count}" if count > 1 else "node")
        return own(Godwit(executable, where, config, control, certificate, prefix))

    return make


@pytest.fixture
def make_cluster(request: pytest.FixtureRequest, executable: Path, tmp_path: Path, certificate: Certificate,
                 own: Callable[[Any], Any]) -> Callable[..., Cluster]:
    """make_cluster(config=..., control=...) is a process for each role on the shared broker, as make_godwit is else."""
    broker: Brokers = request.getfixturevalue("broker")
    count = 0

    def make(config: dict[str, Any] | None = None, control: dict[str, Any] | None = None,
             directory: Path | None = None, prefix: tuple[str, ...] = ()) -> Cluster:
        nonlocal count
        count += 1
        where = directory or tmp_path / f"cluster{count}"
        return own(Cluster(broker, executable, where, config, control, certificate, prefix))

    return make


@pytest.fixture
def make_godwit(request: pytest.FixtureRequest) -> Callable[..., Installation]:
    """make_godwit(config=..., control=...) is a Godwit of the session's shape, not started yet, closed when the test
    ends."""
    kafka = request.config.getoption("--shape") == "kafka"
    return request.getfixturevalue("make_cluster" if kafka else "make_process")  # type: ignore[no-any-return]


@pytest.fixture
def start_godwit(make_godwit: Callable[..., Installation]) -> Callable[..., Installation]:
    """start_godwit(to="127.0.0.1:2530") routes all mail there; config and control as in make_godwit."""
    def start(to: str | None = None, config: dict[str, Any] | None = None,
              control: dict[str, Any] | None = None, **kwargs: Any) -> Installation:
        config = dict(config or {})
        if to:
            sender = dict(config.get("sender", {}))
            sender["routes"] = [*sender.get("routes", []), {"domain": "*", "to": to}]
            config["sender"] = sender
        return make_godwit(config, control, **kwargs).start()

    return start
