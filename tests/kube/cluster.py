"""The cluster put together: `async with Cluster(folder, pod_command=…) as cluster`, then `cluster.url`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.k8s.rendered import kinds, one
from tests.kube.api import Api
from tests.kube.controllers import EXTENSIONS, WARM, Controllers
from tests.kube.kubelet import NAMES, Faults, Kubelet
from tests.kube.names import Names
from tests.kube.objects import Key, Object, Objects
from tests.kube.rights import of_web

NAMESPACE = "agents"
STANDIN = (sys.executable, str(Path(__file__).with_name("standin.py")), "{ip}", "{home}")


class Cluster:
    """`overlay` says what is applied: production has agent-sandbox, minimal has StatefulSets and no CRDs."""

    def __init__(
        self, folder: Path, *, pod_command: Sequence[str] = STANDIN, overlay: str = "production", port: int = 0
    ) -> None:
        self._folder, self._port = folder, port
        self.objects = Objects()
        self.faults = Faults()
        # Each cluster a net of its own: several may run on this machine at once.
        first, second = os.urandom(2)
        net = f"127.{first % 250 + 2}.{second}"
        self.kubelet = Kubelet(self.objects, folder, pod_command, net=net, faults=self.faults)
        self.controllers = Controllers(self.objects)
        self.names, self._names_at = Names(self.objects), f"{net}.{NAMES}"
        self.api = Api(self.objects, of_web(overlay))
        if overlay == "minimal":
            self.objects.schemas.without_crds()
        self._apply(overlay)
        self._tasks: list[asyncio.Task[None]] = []
        self._server: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> "Cluster":
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.open_api()
        self._tasks = [asyncio.create_task(part.run()) for part in (self.controllers, self.kubelet)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        self.names.close()
        await self.close_api()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def open_names(self) -> Names:
        """Open the DNS for processes that have to find pods by name."""
        await self.names.open(self._names_at)
        return self.names

    async def open_api(self) -> None:
        """Also after `close_api`: the same port, and nothing is remembered of what was watched."""
        self._server = web.AppRunner(self.api.application(), shutdown_timeout=0.2, access_log=None)
        await self._server.setup()
        site = web.TCPSite(self._server, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._server.addresses[0][1]

    async def close_api(self) -> None:
        """Close the API as an upgrade of the control plane does: controllers continue afterwards, watches break off."""
        self.api.cut()
        if self._server:
            await self._server.cleanup()
            self._server = None
        self.objects.forget_history()

    # --- what tests look at and do -----------------------------------------------------------------------------------

    def all(self, plural: str, group: str = "") -> list[Object]:
        return [found for _, found in self.objects.find(group, plural)]

    def everything(self) -> list[Object]:
        """Every object, of whatever kind."""
        return self.objects.everything()

    def pod_of(self, sandbox: str) -> Object:
        return self.objects.get(Key("", "pods", NAMESPACE, sandbox))

    def has_home_of(self, pod: Object, agent: str) -> bool:
        """The pod's volume holds this agent's folder."""
        return any(self._folder.glob(f"volumes/home-{pod['metadata']['name']}/agents/{agent}"))

    async def until_spare(self) -> None:
        """A warm box stands there that nobody has claimed."""
        while not any(_spare(found) for found in self.all("sandboxes", "agents.x-k8s.io")):
            await self.objects.news(self.objects.version, within_s=0.05)

    def quota(self, pods: int) -> None:
        """No more pods than this."""

        def refusal(key: Key, _: Object) -> str:
            used = len(self.all("pods"))
            full = key.plural == "pods" and used >= pods
            return f"exceeded quota: boxes, requested: pods=1, used: pods={used}, limited: pods={pods}" if full else ""

        self.objects.quotas[:] = [refusal]

    def evict(self, pod: str, *, reason: str = "Evicted") -> None:
        """The node is short of something: the pod has failed, and stays to be looked at."""
        key = Key("", "pods", NAMESPACE, pod)
        found = self.objects.get(key)
        found["status"] |= {"phase": "Failed", "reason": reason, "conditions": []}
        self.objects.replace(key, found, status=True)
        self.kubelet.kill(pod)

    def drain(self, pod: str) -> None:
        """Deleted, as when its node is being emptied; its sandbox makes another."""
        self.objects.delete(Key("", "pods", NAMESPACE, pod))

    def lose_node(self, pod: str) -> None:
        """Lose a pod's node: the pod does not answer, and its end is never reported."""
        self.faults.lost.add(pod)
        self.kubelet.kill(pod)

    def _apply(self, overlay: str) -> None:
        applied: list[tuple[str, str, Any]] = []
        if overlay == "minimal":
            applied = [("", "podtemplates", one(overlay, "PodTemplate", "runner"))]
            applied += [("", "services", one(overlay, "Service", "runners"))]
        else:
            applied = [(EXTENSIONS, "sandboxtemplates", one(overlay, "SandboxTemplate", "runner"))]
            applied += [(EXTENSIONS, "sandboxwarmpools", pool) for pool in kinds(overlay, "SandboxWarmPool")]
        for group, plural, found in applied:
            self.objects.create(Key(group, plural, NAMESPACE, found["metadata"]["name"]), found)


def _spare(sandbox: Object) -> bool:
    """Warm, nobody's, and answering."""
    warm = WARM in sandbox["metadata"].get("labels", {})
    return warm and any(one["type"] == "Ready" and one["status"] == "True" for one in sandbox["status"]["conditions"])
