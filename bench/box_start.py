"""Measure boxes in a cluster: a warm one until its user's first call, and a sleeping one until it is back.

The cluster is tests/kube, whose pods are real runner processes: what a real one adds is the container's own start and
what the scheduler and volumes take. `python -m bench.container_start IMAGE` measures the first of these with podman.
"""

import secrets
import sys
import time
from pathlib import Path

import msgspec

from bench.figures import Figure, figure
from bench.setup import CLI, Stage
from core.config.settings import Settings
from core.domain.records import Box, UserId, now
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_client import RunnerClient
from core.spawner.kubernetes import NAMESPACE, KubernetesSpawner
from core.spawner.kubernetes_api import opened_api
from tests.kube.cluster import Cluster
from tests.product import MAIN

USERS = 6


async def starts(stage: Stage) -> dict[str, Figure]:
    """Measure K1 (claim from the warm pool until it answers) and K2 (the same box after it was suspended)."""
    folder, boot_key = stage.root / "boxes", secrets.token_urlsafe(32)
    folder.mkdir()
    (folder / "boot-key").write_text(boot_key)
    warm = []
    async with (
        Cluster(folder / "cluster", pod_command=_command(folder)) as cluster,
        opened_api(cluster.url, NAMESPACE) as api,
    ):
        spawner = KubernetesSpawner(api, Settings(), boot_key=boot_key)
        for number in range(USERS):
            await cluster.until_spare()
            warm.append(await _started(spawner, UserId(f"user-{number}")))
        woken = [await _started(spawner, UserId(f"user-{number}")) for number in range(USERS)]
    return {"K1_warm_start": figure(warm, budget="≤ 3000"), "K2_wake": figure(woken)}


def _command(folder: Path) -> list[str]:
    words = [sys.executable, str(MAIN), "runner", "--listen={ip}:8080", "--home={home}", f"--cli={CLI}"]
    return [*words, "--gateway=http://127.0.0.1:9", f"--boot-key={folder / 'boot-key'}", "--pod={pod}"]


async def _started(spawner: KubernetesSpawner, user: UserId) -> float:
    """Start the box and return how many milliseconds it took; the box is asleep again afterwards."""
    box = Box(id=secrets.token_hex(5), user=user, key=secrets.token_urlsafe(32), started_at=now())
    began = time.monotonic()
    box = msgspec.structs.replace(box, spawner_state=await spawner.start(box, lambda _: None))
    client = RunnerClient(box, spawner.endpoint(box))
    await client.init(IdleLimits().init(box), spawner=spawner)
    took_ms = (time.monotonic() - began) * 1000
    await client.close()
    await spawner.stop(box)
    return took_ms
