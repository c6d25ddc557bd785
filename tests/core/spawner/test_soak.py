"""The short form of `make soak-box`."""

import tempfile
from pathlib import Path

import pytest

from core.spawner.local import LocalSpawner
from tests.core.spawner.soak import soak


async def test_boxes_that_start_and_are_killed_leave_nothing_over_the_baseline(
    spawner: LocalSpawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # other workers try boxes, too
    found = await soak(tmp_path, 24)
    assert {name: left for name, left in found.items() if left and name not in ("times", "ms each")} == {}
