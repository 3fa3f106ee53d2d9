"""A process under a load that fails in every way there is a metric for, and a Prometheus that scrapes it: one of each
for all tests of this folder. What only the log on Kafka has is in tests/kafka/test_observe_kafka.py."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.certificates import Certificate
from support.prometheus import Prometheus
from support.prometheus import promtool as run_promtool
from support.troubled import Troubled, scraped


@pytest.fixture(scope="session")
def troubled(executable: Path, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troubled]:
    with contextlib.closing(Troubled(executable, tmp_path_factory.mktemp("troubled"), certificate)) as node:
        yield node.start()


@pytest.fixture(scope="session")
def prometheus(troubled: Troubled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraped(troubled, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(scope="session")
def promtool() -> Callable[..., str]:
    """promtool(arguments, stdin=...) is what it printed; it has to be content."""
    return run_promtool
