"""More brokers for the tests of this folder: one of each kind, started when the first test asks for it."""

from collections.abc import Callable, Iterator

import pytest

from support.certificates import Certificate
from support.godwit import Godwit
from support.kafka import KafkaCluster


@pytest.fixture
def make_godwit(make_process: Callable[..., Godwit]) -> Callable[..., Godwit]:
    """Here a test says itself which processes there are."""
    return make_process


@pytest.fixture(scope="session")
def secured_broker(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[KafkaCluster]:
    """A single broker that wants TLS and a password."""
    cluster = KafkaCluster(tmp_path_factory.mktemp("secured"), certificate=certificate)
    try:
        yield cluster.start()
    finally:
        cluster.close()
