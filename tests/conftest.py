"""Fixtures of all black-box tests."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.certificates import Certificate, make_certificate  # noqa: E402
from support.godwit import Godwit  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--godwit", type=Path, default=ROOT / "build/test/bin/godwit",
                     help="the executable under test (default: build/test/bin/godwit)")


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


@pytest.fixture
def make_godwit(executable: Path, tmp_path: Path, certificate: Certificate,
                own: Callable[[Any], Any]) -> Callable[..., Godwit]:
    """make_godwit(config=..., control=...) is a Godwit, not started yet, closed when the test ends."""
    count = 0

    def make(config: dict[str, Any] | None = None, control: dict[str, Any] | None = None,
             directory: Path | None = None, prefix: tuple[str, ...] = ()) -> Godwit:
        nonlocal count
        count += 1
        where = directory or tmp_path / (f"node{count}" if count > 1 else "node")
        return own(Godwit(executable, where, config, control, certificate, prefix))

    return make


@pytest.fixture
def start_godwit(make_godwit: Callable[..., Godwit]) -> Callable[..., Godwit]:
    """start_godwit(to="127.0.0.1:2530") routes all mail there; config and control as in make_godwit."""
    def start(to: str | None = None, config: dict[str, Any] | None = None,
              control: dict[str, Any] | None = None, **kwargs: Any) -> Godwit:
        config = dict(config or {})
        if to:
            sender = dict(config.get("sender", {}))
            sender["routes"] = [*sender.get("routes", []), {"domain": "*", "to": to}]
            config["sender"] = sender
        return make_godwit(config, control, **kwargs).start()

    return start
