"""A process under a load that fails in every way there is a metric for, and a Prometheus that scrapes it: one of each
for all tests of this folder. What only the log on Kafka has is in tests/kafka/test_observe.py."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.certificates import Certificate
from support.troubled import Troubled


@pytest.fixture(scope="session")
def troubled(executable: Path, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troubled]:
    node = Troubled(executable, tmp_path_factory.mktemp("troubled"), certificate)
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(scope="session")
def promtool() -> Callable[..., str]:
    """promtool(arguments, stdin=...) is what it printed; it has to be content."""
    from support.prometheus import promtool
    return promtool
