"""Which processes there are is each test's own affair here."""

from collections.abc import Callable

import pytest

from support.godwit import Godwit


@pytest.fixture
def make_godwit(make_process: Callable[..., Godwit]) -> Callable[..., Godwit]:
    """Here a test says itself which processes there are."""
    return make_process
