"""The chart, rendered by the real Helm (scripts/helm) for each of the value sets: the defaults, those of its examples,
and those of values/, which have every option between them."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from support.chart import VALUE_SETS, Helm, Release, installed_helm

@pytest.fixture(scope="session")
def helm() -> Helm:
    return installed_helm()


@pytest.fixture(scope="session")
def rendered(helm: Helm) -> dict[str, Release]:
    return {name: helm.template(file) for name, file in VALUE_SETS.items()}


@pytest.fixture(params=VALUE_SETS)
def release(request: pytest.FixtureRequest, rendered: dict[str, Release]) -> Release:
    """What one value set renders to."""
    return rendered[request.param]


@pytest.fixture
def refusal(helm: Helm) -> Callable[[dict[str, Any]], str]:
    """refusal(values) is why Helm refuses them."""
    def refuse(values: dict[str, Any]) -> str:
        done: subprocess.CompletedProcess[str] = helm.try_template(values)
        assert done.returncode != 0, f"{values} was taken"
        return done.stderr

    return refuse
