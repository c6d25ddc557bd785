"""Boxes by agent-sandbox: each user has a claim from the warm pool, whose Sandbox is set to `Suspended` and
`Running`.
"""

from contextlib import suppress
from typing import Final

from core.domain.errors import Conflict, NotFound, RunnerUnavailable
from core.domain.records import UserId
from core.spawner import Phase
from core.spawner.kubernetes_api import ClusterApi, Object, ObjectKind
from core.spawner.kubernetes_view import (
    BOX,
    BoxView,
    Progress,
    anew,
    condition,
    images_of,
    is_true,
    meta_of,
    name_of,
    of_now,
)

CLAIMS: Final = ObjectKind(group="extensions.agents.x-k8s.io", version="v1beta1", plural="sandboxclaims")
SANDBOXES: Final = ObjectKind(group="agents.x-k8s.io", version="v1beta1", plural="sandboxes")
TEMPLATES: Final = ObjectKind(group=CLAIMS.group, version=CLAIMS.version, plural="sandboxtemplates")
TEMPLATE: Final = "runner"  # k8s/base/agents.yaml
HEAD: Final = {"apiVersion": f"{CLAIMS.group}/{CLAIMS.version}", "kind": "SandboxClaim"}
POOL: Final = "runners"  # k8s/base/agents.yaml
POD: Final = "agents.x-k8s.io/pod-name"  # annotation: the pod's name if it differs from its sandbox's


class SandboxBackend:
    """The backend that uses claims and sandboxes only. The state of a pod shows in its Sandbox's status."""

    kind = SANDBOXES

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    async def named(self, user: UserId, progress: Progress) -> str:
        async with self._api.versions(CLAIMS, name_of(user)) as versions:
            async for claim in versions:
                if claim is None:
                    with suppress(Conflict):  # another web was faster
                        # No environment or volumes: they mean a cold start. No `shutdownTime`: it deletes the volume.
                        spec = {"warmPoolRef": {"name": POOL}}
                        await self._api.create(CLAIMS, {**HEAD, "metadata": meta_of(user), "spec": spec})
                    continue
                if "deletionTimestamp" in claim["metadata"]:
                    progress.see(Phase.ASKED, "the user's previous one is still being deleted")
                    continue
                if name := _sandbox(claim):
                    return name
                ready = condition(claim, "Ready")
                if str(ready.get("reason", "")).endswith("NotFound"):
                    raise RunnerUnavailable(f"{ready.get('message')}", code="box_refused")
                progress.see(Phase.ASKED, str(ready.get("message", "")))
        raise AssertionError("versions() never ends")

    async def find(self, user: UserId) -> str:
        try:
            return _sandbox(await self._api.get(CLAIMS, name_of(user)))
        except NotFound:
            return ""

    def view(self, found: Object) -> BoxView:
        meta, spec, status = found["metadata"], found["spec"], found.get("status", {})
        ready, finished = condition(found, "Ready"), condition(found, "Finished")
        addresses, notes = tuple(status.get("podIPs") or ()), meta.get("annotations") or {}
        phase, why = _progress(found, addresses)
        return BoxView(
            name=meta["name"],
            pod=notes.get(POD) or meta["name"],
            version=meta["resourceVersion"],
            generation=int(meta.get("generation", 0)),
            holder=notes.get(BOX, ""),
            awake=spec.get("operatingMode") != "Suspended" and "deletionTimestamp" not in meta,
            resting=is_true(found, "Suspended"),
            process=bool(addresses),
            ready=is_true(found, "Ready") and bool(addresses),
            addresses=addresses,
            unknown=ready.get("reason") == "ReconcilerError",
            ended=str(finished.get("reason", "")) if finished.get("status") == "True" else "",
            phase=phase,
            why=why,
            runtime=spec["podTemplate"]["spec"].get("runtimeClassName", ""),
        )

    def rest(self) -> Object:
        return {"spec": {"operatingMode": "Suspended"}}

    async def wake(self) -> Object:
        """Return the patch that wakes a Sandbox, with today's template: the Sandbox has a copy from its first day."""
        try:
            template = await self._api.get(TEMPLATES, TEMPLATE)
        except NotFound as error:
            raise RunnerUnavailable(f"the cluster has no SandboxTemplate {TEMPLATE}", code="box_refused") from error
        pod = template["spec"]["podTemplate"]["spec"]
        return {"spec": {"operatingMode": "Running", "podTemplate": {"spec": anew(pod)}}}

    def images(self, spec: Object) -> list[str]:
        return images_of(spec["podTemplate"]["spec"])

    async def remove(self, user: UserId) -> None:
        await self._api.delete(CLAIMS, name_of(user))  # this also deletes Sandbox, pod and volume


def _progress(found: Object, addresses: tuple[str, ...]) -> tuple[Phase, str]:
    """Return how far the start is, and the cluster's words. A Sandbox tells nothing about a pod's containers: a missing
    image, a detached disk and a program that ends at once all look like waiting.
    """
    ready, scheduled = of_now(found, "Ready"), of_now(found, "PodScheduled")
    why = str(ready.get("message", ""))
    if scheduled.get("status") == "False":
        return Phase.MACHINE, f"{scheduled.get('reason', '')}: {scheduled.get('message', '')}"
    # The node's name is written together with the next thing that changes, so it may come late.
    if scheduled.get("status") != "True" and not found.get("status", {}).get("nodeName"):
        return Phase.MACHINE, why
    if not addresses:
        return Phase.IMAGE, why
    return Phase.STARTING, why


def _sandbox(claim: Object) -> str:
    return str(claim.get("status", {}).get("sandbox", {}).get("name", ""))
