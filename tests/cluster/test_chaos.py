"""A short run with a fixed seed; make chaos has long ones with new seeds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.chaos import complaints
from cluster.rig import ChaosRig
from support.kafka import KafkaCluster

SEED = 20261122
SECONDS = 45


@pytest.mark.timeout(400)
def test_nothing_is_lost(executable: Path, tmp_path: Path, brokers: KafkaCluster, own: Callable[[Any], Any],
                         record_property: Callable[[str, object], None]) -> None:
    rig = own(ChaosRig(executable, tmp_path / "godwit", brokers, print))
    outcome = rig.run(SEED, SECONDS, rate=60)
    record_property("outcome", json.dumps(outcome.report()))
    print(json.dumps(outcome.report(), indent=1))
    assert outcome.acknowledged > SECONDS, "hardly any load"
    assert complaints(outcome) == []
