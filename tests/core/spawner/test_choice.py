"""The settings choose the spawner, and a cluster's web has the key of its spare boxes."""

from dataclasses import replace
from pathlib import Path

import pytest

from core import runtime
from core.errors import Misconfigured
from core.settings import Settings
from core.spawner.choice import boot_key, opened_spawner
from core.spawner.host import REPOSITORY
from core.spawner.local import LocalSpawner


async def test_on_one_machine_it_is_the_local_one(
    tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    settings = Settings(data_dir=tmp_path, sandbox="none")
    async with opened_spawner(settings, runtime.make(settings), program=REPOSITORY) as spawner:
        assert isinstance(spawner, LocalSpawner)


def test_the_boot_key_is_a_file_with_a_key_in_it(tmp_path: Path) -> None:
    settings = replace(Settings(), boot_key_file=tmp_path / "boot-key")
    for text in (None, "", "short\n", "é" * 40):
        if text is not None:
            settings.boot_key_file.write_text(text)
        with pytest.raises(Misconfigured, match="OMA_BOOT_KEY_FILE"):
            boot_key(settings)
    settings.boot_key_file.write_text("k" * 40 + "\n")
    assert boot_key(settings) == "k" * 40
