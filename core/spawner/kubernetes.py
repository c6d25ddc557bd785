"""Runners on Kubernetes: each user has one object whose pod sleeps and wakes, found again by its annotations.

The annotation `BOX` names the Box that the object serves. It is changed together with the object's state, and only
against the version that was read. So a late or second web that acts with an old Box finds that the object serves
another one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from core.config.settings import Settings
from core.domain.errors import Conflict, NotFound, RunnerUnavailable
from core.domain.records import Box, UserId
from core.spawner import Isolation, Layer, Phase, Poll, ProgressCallback, RunnerEndpoint, nobody
from core.spawner.kubernetes_api import ClusterApi, ClusterUnreachable, opened_api
from core.spawner.kubernetes_sandbox import CLAIMS, SandboxBackend
from core.spawner.kubernetes_set import SERVICE, StatefulSetBackend
from core.spawner.kubernetes_view import BOX, PORT, BoxBackend, BoxView, Progress

log = logging.getLogger("oma.spawner")

NAMESPACE: Final = "agents"
DOMAIN: Final = f"{SERVICE}.{NAMESPACE}.svc"
START_S: Final = 300.0  # a cold node, an image of 400 MB and a moving volume take minutes
UNDO_S: Final = 10.0
DISK_MB: Final = 10_240  # without a limit in the settings: a volume needs one
GVISOR: Final = "gvisor"


class KubernetesSpawner:
    """The Spawner of core.spawner on Kubernetes: with agent-sandbox if the cluster has it, else with StatefulSets."""

    shared = True

    def __init__(
        self,
        api: ClusterApi,
        settings: Settings,
        *,
        boot_key: str = "",
        domain: str = DOMAIN,
        start_s: float = START_S,
    ) -> None:
        self._api, self._settings, self._boot_key = api, settings, boot_key
        self._domain, self._start_s = domain, start_s
        self._backend: BoxBackend | None = None
        self._starting: set[str] = set()
        self._runtime: str | None = None  # of the boxes; None: none was seen yet

    async def refresh(self) -> None:
        """Read which engine and runtime the cluster has. Raises: RunnerUnavailable."""
        backend = await self._chosen()
        for found in await self._api.some(backend.kind):
            self._seen(backend.view(found))

    def isolation(self) -> Isolation:
        shared = self._runtime is not None and self._runtime != GVISOR
        missing = ("boxes share their nodes' kernel: name a sandboxed runtime class in k8s/overlays",) if shared else ()
        return Isolation(name="kubernetes", layers=_layers(self._runtime), missing=missing)

    async def start(self, box: Box, tell: ProgressCallback = nobody) -> dict[str, Any]:
        self._starting.add(box.id)
        progress = Progress(tell)
        try:
            async with asyncio.timeout(self._start_s):
                backend = await self._chosen()
                name = await backend.named(box.user, progress)
                await self._wake(backend, box, name, progress)
                return await self._awake(backend, box, name, progress)
        except BaseException as error:
            await asyncio.shield(self._undo(box))
            if isinstance(error, TimeoutError):
                raise progress.failure(self._start_s) from error
            raise
        finally:
            self._starting.discard(box.id)

    async def poll(self, box: Box) -> Poll:
        if box.id in self._starting:
            return Poll.STARTING
        name, address = box.spawner_state.get("object"), box.spawner_state.get("address")
        if not isinstance(name, str) or not isinstance(address, str):
            return Poll.GONE
        try:
            backend = await self._chosen()
            view = backend.view(await self._api.get(backend.kind, name))
        except NotFound:
            return Poll.GONE
        except RunnerUnavailable as error:  # the state is unknown, and a working box must not be given up for that
            log.warning("box %s: %s", box.id, error)
            return Poll.RUNNING
        self._seen(view)
        lives = view.awake and view.holder == box.id and not view.ended
        return Poll.RUNNING if lives and (address in view.addresses or view.unknown) else Poll.GONE

    def endpoint(self, box: Box) -> RunnerEndpoint:
        address, pod = str(box.spawner_state.get("address", "")), str(box.spawner_state.get("pod", ""))
        url, named = f"http://{_bracketed(address)}:{PORT}", address.endswith(self._domain)
        return RunnerEndpoint(url=url, boot_key=self._boot_key, pod=pod, named=named)

    async def stop(self, box: Box, *, grace_s: float = 5.0) -> None:
        """End the pod with SIGTERM and the grace period of its template; this call does not wait for it."""
        backend = await self._chosen()
        if name := str(box.spawner_state.get("object") or await backend.find(box.user)):
            await self._rest(backend, name, holder=box.id)

    async def over_quota(self, box: Box) -> bool:
        return False  # the volume is its bound

    async def forget(self, user: UserId) -> None:
        await (await self._chosen()).remove(user)

    async def _chosen(self) -> BoxBackend:
        if self._backend is None:
            sandboxes = await self._api.has(CLAIMS)
            sets = StatefulSetBackend(self._api, domain=self._domain, disk_mb=self._settings.box_disk_mb or DISK_MB)
            self._backend = SandboxBackend(self._api) if sandboxes else sets
            log.info("boxes are %s", self._backend.kind.plural)
        return self._backend

    async def _wake(self, backend: BoxBackend, box: Box, name: str, progress: Progress) -> None:
        """Assign the object to this box and wake it. A process of another box or of an older program ends first."""
        async with self._api.versions(backend.kind, name) as versions:
            async for found in versions:
                if found is None:
                    raise RunnerUnavailable(f"{name} was deleted meanwhile")
                view = backend.view(found)
                if not view.awake and not view.resting:
                    progress.see(Phase.ENDING)
                    continue  # the old process is still ending and could be mistaken for the new one
                wake = await backend.wake()
                used = view.awake and (view.ended or (view.process and view.holder not in ("", box.id)))
                # A box that was made in advance last week has an older image.
                old = view.awake and backend.images(found["spec"]) != backend.images(wake["spec"])
                ours = {"metadata": {"annotations": {BOX: box.id}}}
                patch = backend.rest() if used or old else ours if view.awake else wake | ours
                try:
                    await self._api.patch(backend.kind, name, patch, version=view.version)
                except Conflict:
                    continue
                if not used and not old:
                    return

    async def _awake(self, backend: BoxBackend, box: Box, name: str, progress: Progress) -> dict[str, Any]:
        async with self._api.versions(backend.kind, name) as versions:
            async for found in versions:
                if found is None:
                    raise RunnerUnavailable(f"{name} was deleted meanwhile")
                view = backend.view(found)
                self._seen(view)
                if view.holder != box.id or not view.awake:
                    raise RunnerUnavailable(f"{name} was taken away meanwhile")
                if view.ended:
                    raise RunnerUnavailable(f"{name}: {view.ended} {view.why}", code="box_ends")
                if view.ready:
                    return {"object": name, "pod": view.pod, "address": view.addresses[0]}
                progress.see(view.phase, view.why)
        raise AssertionError("versions() never ends")

    async def _rest(self, backend: BoxBackend, name: str, *, holder: str) -> None:
        while True:
            try:
                view = backend.view(await self._api.get(backend.kind, name))
                if view.awake and view.holder == holder:
                    await self._api.patch(backend.kind, name, backend.rest(), version=view.version)
                return
            except NotFound:
                return
            except Conflict:
                continue  # it changed meanwhile: another process made progress

    async def _undo(self, box: Box) -> None:
        """Stop what a failed start left behind; it would cost money and serve nobody."""
        try:
            async with asyncio.timeout(UNDO_S):
                await self.stop(box, grace_s=0)
        except (RunnerUnavailable, TimeoutError) as error:
            log.warning("a failed start of box %s may still run: %s", box.id, error)

    def _seen(self, view: BoxView) -> None:
        self._runtime = view.runtime


def _layers(runtime: str | None) -> tuple[Layer, ...]:
    gvisor = Layer(number="L2", id="kernel", live=runtime == GVISOR, why="" if runtime == GVISOR else "no_gvisor")
    if runtime is None:
        gvisor = Layer(number="L2", id="kernel", live=False, why="not_seen")
    ids = ("key", "pod", "", "policies", "requests", "volume", "settings", "nobody")
    return tuple(Layer(number=f"L{n}", id=id) if id else gvisor for n, id in enumerate(ids))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@asynccontextmanager
async def opened(settings: Settings, *, boot_key: str) -> AsyncIterator[KubernetesSpawner]:
    """Connect to the cluster. Raises: Misconfigured: there is none."""
    async with opened_api(settings.kubernetes_url, NAMESPACE) as api:
        spawner = KubernetesSpawner(api, settings, boot_key=boot_key)
        try:
            await spawner.refresh()
        except ClusterUnreachable as error:  # pages work without it, and the next call tries again
            log.warning("the cluster's API server does not answer yet: %s", error)
        yield spawner
