"""Fixture: a real box for the tests that inspect it."""

from pathlib import Path

import pytest

from core.spawner.local import LocalSpawner
from tests.core.spawner.boxes import local


@pytest.fixture
def spawner(tmp_path: Path) -> LocalSpawner:
    """Starts real bubblewrap boxes."""
    made = local(tmp_path)
    if missing := made.isolation().missing:
        pytest.skip(missing[0])
    return made
