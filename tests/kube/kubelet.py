"""Scheduler and node in one: pods are real processes, each with an address of 127.0.0.0/8; a volume is a folder."""

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from tests.kube.objects import Key, Object, Objects, Refused, moment

NODE = "node-1"
NAMES = 254  # the last part of the name service's address
PORT = 8080
PROBE_S = 0.1
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between the ends of a container and its next start
GRACE_S = 10.0  # from SIGTERM to SIGKILL; a template's may be shorter


@dataclass(slots=True)
class Faults:
    """The faults that happen while they are set."""

    no_room: bool = False  # no node takes a pod
    no_image: bool = False  # the registry refuses
    slow_volumes: bool = False  # claims stay Pending
    dies_at_start: str = ""  # the reason with which every container ends at once, as OOMKilled
    lingers: bool = False  # pods that are told to end go on, as one does that uses its whole grace
    lost: set[str] = field(default_factory=set)  # pods whose node nobody hears of


class Kubelet:
    """`command`: words in which {ip}, {home} and {pod} are replaced."""

    def __init__(self, objects: Objects, folder: Path, command: Sequence[str], *, net: str, faults: Faults) -> None:
        self._objects, self._folder, self._command, self.faults = objects, folder, command, faults
        self._net, self._addresses = net, iter(range(1, NAMES))
        self._pods: dict[str, asyncio.Task[None]] = {}  # by uid
        self._processes: dict[str, asyncio.subprocess.Process] = {}  # by the pod's name
        self._ends: set[asyncio.Task[None]] = set()  # of containers; each goes on whoever is cancelled meanwhile
        self._http: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Run until cancelled; then every process has ended."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as self._http:
            try:
                while True:
                    seen = self._objects.version
                    self._volumes()
                    for key, pod in self._objects.find("", "pods"):
                        if (uid := pod["metadata"]["uid"]) not in self._pods:
                            self._pods[uid] = asyncio.create_task(self._live(key, uid), name=f"pod {key.name}")
                    await self._objects.news(seen, within_s=PROBE_S)
            finally:
                for task in self._pods.values():
                    task.cancel()
                await asyncio.gather(*self._pods.values(), return_exceptions=True)
                await asyncio.gather(*self._ends)

    def process(self, pod: str) -> asyncio.subprocess.Process:
        """The process that is the pod's container now."""
        return self._processes[pod]

    def kill(self, pod: str) -> None:
        """The container ends by SIGKILL, as the kernel does when memory is short; it will be started again."""
        _end(self._processes[pod], signal.SIGKILL)

    def _volumes(self) -> None:
        known = set()
        for key, claim in self._objects.find("", "persistentvolumeclaims"):
            known.add(key.name)
            if claim.get("status", {}).get("phase") != "Bound" and not self.faults.slow_volumes:
                self._home(key.name).mkdir(parents=True, exist_ok=True)
                self._objects.replace(key, {**claim, "status": {"phase": "Bound"}}, status=True)
        for left in self._folder.glob("volumes/*"):
            if left.name not in known:
                shutil.rmtree(left, ignore_errors=True)

    def _home(self, claim: str) -> Path:
        return self._folder / "volumes" / claim

    async def _live(self, key: Key, uid: str) -> None:
        address = f"{self._net}.{next(self._addresses)}"
        container = asyncio.create_task(self._container(key, uid, address), name=f"container {key.name}")
        try:
            while not await self._leaving(key, uid):
                await asyncio.sleep(PROBE_S / 2)
        finally:
            container.cancel()
            await asyncio.gather(container, return_exceptions=True)
        with suppress(Refused, KeyError):
            if self._objects.get(key)["metadata"]["uid"] == uid:
                self._objects.remove(key)

    async def _leaving(self, key: Key, uid: str) -> bool:
        try:
            meta = self._objects.get(key)["metadata"]
        except Refused:
            return True
        if meta["uid"] != uid:
            return True
        return "deletionTimestamp" in meta and key.name not in self.faults.lost and not self.faults.lingers

    async def _container(self, key: Key, uid: str, address: str) -> None:
        home = await self._placed(key)
        restarts = 0
        while True:
            await self._image(key)
            ended = await self._once(key, address, home, restarts)
            restarts += 1
            waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
            self._say(key, ready=False, state=waiting, last=ended, restarts=restarts)
            await asyncio.sleep(BACKOFF_S[min(restarts - 1, len(BACKOFF_S) - 1)])

    async def _placed(self, key: Key) -> Path:
        """Scheduled, with its volume there; its home."""
        while True:
            pod = self._objects.get(key)
            claims = [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in pod["spec"]["volumes"]]
            unbound = [name for name in filter(None, claims) if not self._bound(key, name)]
            why = "0/1 nodes are available: 1 Insufficient cpu." if self.faults.no_room else ""
            why = why or ("pod has unbound immediate PersistentVolumeClaims" if unbound else "")
            if not why:
                break
            self._condition(key, "PodScheduled", "False", reason="Unschedulable", message=why)
            await asyncio.sleep(PROBE_S)
        pod["spec"]["nodeName"] = NODE
        self._objects.replace(key, pod)
        self._condition(key, "PodScheduled", "True")
        return self._home(next(filter(None, claims)))

    def _bound(self, pod: Key, claim: str) -> bool:
        with suppress(Refused):
            found = self._objects.get(pod._replace(plural="persistentvolumeclaims", name=claim))
            return bool(found.get("status", {}).get("phase") == "Bound")
        return False

    async def _image(self, key: Key) -> None:
        while self.faults.no_image:
            self._say(key, ready=False, phase="Pending", state={"waiting": {"reason": "ImagePullBackOff"}})
            await asyncio.sleep(PROBE_S)

    async def _once(self, key: Key, address: str, home: Path, restarts: int) -> Object:
        """Run the container once and return how it ended."""
        if self.faults.dies_at_start:
            self._say(key, ready=False, address=address, restarts=restarts)
            return {"terminated": {"reason": self.faults.dies_at_start, "exitCode": 137}}
        words = [word.format(ip=address, home=home, pod=key.name) for word in self._command]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        with (self._folder / f"{key.name}.log").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, start_new_session=True,
            )  # fmt: skip
        self._processes[key.name] = process
        try:
            await self._probe(key, address, process, restarts)
        finally:
            end = asyncio.create_task(_ended(process, within_s=self._grace(key)))
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)
            await asyncio.shield(end)
        reason = "OOMKilled" if process.returncode == -signal.SIGKILL else "Error"
        return {"terminated": {"reason": reason, "exitCode": process.returncode}}

    async def _probe(self, key: Key, address: str, process: asyncio.subprocess.Process, restarts: int) -> None:
        assert self._http
        while process.returncode is None:
            ready = False
            if key.name not in self.faults.lost:
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with self._http.get(f"http://{address}:{PORT}/healthz") as answer:
                        ready = answer.status == 200
            self._say(key, ready=ready, address=address, restarts=restarts, state={"running": {}})
            await asyncio.sleep(PROBE_S)

    def _grace(self, key: Key) -> float:
        with suppress(Refused):
            return min(GRACE_S, float(self._objects.get(key)["spec"].get("terminationGracePeriodSeconds", GRACE_S)))
        return GRACE_S

    def _say(
        self,
        key: Key,
        *,
        ready: bool,
        phase: str = "Running",
        address: str = "",
        state: Object | None = None,
        last: Object | None = None,
        restarts: int = 0,
    ) -> None:
        with suppress(Refused):  # it is gone already
            pod = self._objects.get(key)
            status = pod.setdefault("status", {})
            if status.get("phase") == "Failed":
                return
            status["phase"] = phase
            if address:
                status["podIPs"] = [{"ip": address}]
            status["containerStatuses"] = [
                {"name": "runner", "ready": ready, "restartCount": restarts, "state": state or {}}
                | ({"lastState": last} if last else {})
            ]
            _set(status, "Ready", "True" if ready else "False")
            self._objects.replace(key, pod, status=True)

    def _condition(self, key: Key, kind: str, value: str, *, reason: str = "", message: str = "") -> None:
        with suppress(Refused):
            pod = self._objects.get(key)
            status = pod.setdefault("status", {"phase": "Pending"})
            _set(status, kind, value, reason=reason, message=message)
            self._objects.replace(key, pod, status=True)


def _set(status: Object, kind: str, value: str, **more: str) -> None:
    conditions = status.setdefault("conditions", [])
    said = {"type": kind, "status": value} | {name: word for name, word in more.items() if word}
    for at, one in enumerate(conditions):
        if one["type"] == kind:
            if {**one, "lastTransitionTime": ""} != {**said, "lastTransitionTime": ""}:
                conditions[at] = {**said, "lastTransitionTime": moment()}
            return
    conditions.append({**said, "lastTransitionTime": moment()})


def _end(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)


async def _ended(process: asyncio.subprocess.Process, *, within_s: float) -> None:
    """SIGTERM, grace, SIGKILL; a pod's end is the end of all that it started."""
    left: list[psutil.Process] = []
    with suppress(psutil.Error):
        left = psutil.Process(process.pid).children(recursive=True)
    _end(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(within_s):
            await process.wait()
    except TimeoutError:
        _end(process, signal.SIGKILL)
        await process.wait()
    for one in left:
        with suppress(psutil.Error):
            one.kill()
