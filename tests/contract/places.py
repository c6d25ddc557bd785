"""The ways to start runners, each with access to a runner's home: bubblewrap, plain processes, two clusters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import pytest

from core.config.settings import Settings
from core.domain.errors import Unavailable
from core.domain.records import Box
from core.spawner import Spawner
from core.spawner.kubernetes import NAMESPACE, KubernetesSpawner
from core.spawner.kubernetes_api import ClusterApi, opened_api
from core.spawner.local import LocalSpawner
from tests.core.spawner.boxes import attempt, local, look
from tests.kube.cluster import Cluster
from tests.kube.objects import Refused


class Place(Protocol):
    """`again` is the spawner of a web that was restarted."""

    spawner: Spawner

    def again(self) -> Spawner: ...

    async def write(self, box: Box, text: str) -> None:
        """Into a file of the home, by the process in the box."""

    async def read(self, box: Box) -> str:
        """Return the content; empty if nothing was written. Raises: OSError: nobody answers."""


class Here:
    """On this machine."""

    def __init__(self, folder: Path, sandbox: str) -> None:
        self._folder, self._sandbox = folder, sandbox
        self.spawner: LocalSpawner = self.again()

    def again(self) -> LocalSpawner:
        return local(self._folder, sandbox=self._sandbox)

    async def write(self, box: Box, text: str) -> None:
        await attempt(self.spawner, box, f"open(given['home'] + '/kept', 'w').write({text!r})")

    async def read(self, box: Box) -> str:
        path = "given['home'] + '/kept'"
        return str(await look(self.spawner, box, f"open({path}).read() if os.path.exists({path}) else ''"))


class InCluster:
    """Runners in the fake cluster, as `overlay` describes it."""

    def __init__(self, cluster: Cluster, api: ClusterApi, *, start_s: float = 30.0) -> None:
        self.cluster, self._api = cluster, api
        self.start_within(start_s)

    def start_within(self, start_s: float) -> None:
        """Give up a start after so long from now on."""
        self._start_s = start_s
        self.spawner: KubernetesSpawner = self.again()

    def again(self) -> KubernetesSpawner:
        return KubernetesSpawner(self._api, Settings(), start_s=self._start_s)

    def url(self, box: Box) -> str:
        """Return the runner's URL with its name resolved as the cluster resolves it; this machine cannot."""
        endpoint_url = self.spawner.endpoint(box).url
        host = urlsplit(endpoint_url).hostname or ""
        if not host.endswith(".svc"):
            return endpoint_url
        try:
            pod = self.cluster.pod_of(host.split(".")[0])
            return endpoint_url.replace(host, str(pod["status"]["podIPs"][0]["ip"]))
        except (Refused, KeyError) as error:
            raise ConnectionError(f"{host} is no name") from error

    async def write(self, box: Box, text: str) -> None:
        async with aiohttp.request("PUT", f"{self.url(box)}/?path=kept", data=text.encode()) as answer:
            assert answer.status == 200

    async def read(self, box: Box) -> str:
        async with aiohttp.request("GET", f"{self.url(box)}/?path=kept") as answer:
            return await answer.text()


PLACES = ("bubblewrap", "none", "agent-sandbox", "StatefulSets")
OVERLAYS = {"agent-sandbox": "production", "StatefulSets": "minimal"}


@asynccontextmanager
async def in_cluster(folder: Path, overlay: str, *, start_s: float = 30.0) -> AsyncIterator[InCluster]:
    async with Cluster(folder, overlay=overlay) as cluster, opened_api(cluster.url, NAMESPACE) as api:
        yield InCluster(cluster, api, start_s=start_s)


@asynccontextmanager
async def place(name: str, folder: Path) -> AsyncIterator[Place]:
    if name in OVERLAYS:
        async with in_cluster(folder, OVERLAYS[name]) as there:
            yield there
        return
    here = Here(folder, name)
    if name == "bubblewrap" and (missing := here.spawner.isolation().missing):
        pytest.skip(missing[0])
    yield here


async def nobody_answers(there: Place, box: Box) -> bool:
    """Nothing of it can be reached."""
    try:
        await there.read(box)
    except (OSError, aiohttp.ClientError, Unavailable, ValueError):
        return True
    return False
