"""The settings choose the spawner, and a cluster's web has the key of its spare boxes."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.config import runtime_dir
from core.config.settings import Settings
from core.domain.errors import Misconfigured
from core.spawner.factory import boot_key, opened_spawner
from core.spawner.host import REPOSITORY
from core.spawner.kubernetes import KubernetesSpawner
from core.spawner.local import LocalSpawner
from tests.core.spawner.boxes import box
from tests.kube.cluster import Cluster


async def test_on_one_machine_it_is_the_local_one(
    tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    settings = Settings(data_dir=tmp_path, sandbox="none")
    async with opened_spawner(settings, runtime_dir.make(settings), program=REPOSITORY) as spawner:
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


async def test_in_a_cluster_it_is_kubernetes_whose_runners_open_by_the_boot_key(
    tmp_path: Path, short_dir: Path
) -> None:
    (tmp_path / "boot-key").write_text("k" * 40)
    async with Cluster(tmp_path / "cluster") as cluster:
        settings = Settings(
            spawner="kubernetes", kubernetes_url=cluster.url, boot_key_file=tmp_path / "boot-key", data_dir=tmp_path
        )
        async with opened_spawner(settings, runtime_dir.Runtime(short_dir), program=REPOSITORY) as spawner:
            assert isinstance(spawner, KubernetesSpawner)
            assert spawner.endpoint(box(address="10.0.0.7")).boot_key == "k" * 40
            assert "k" * 40 not in repr(spawner.endpoint(box(address="10.0.0.7")))
            assert spawner.endpoint(box(address="fd00::7")).url == "http://[fd00::7]:8080"


async def test_outside_of_a_cluster_kubernetes_is_refused_with_a_sentence(tmp_path: Path, short_dir: Path) -> None:
    (tmp_path / "boot-key").write_text("k" * 40)
    settings = Settings(spawner="kubernetes", boot_key_file=tmp_path / "boot-key", data_dir=tmp_path)
    with pytest.raises(Misconfigured, match="runs in a cluster only"):
        async with opened_spawner(settings, runtime_dir.Runtime(short_dir), program=REPOSITORY):
            pass
