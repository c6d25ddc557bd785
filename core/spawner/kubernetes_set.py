"""Boxes in clusters without agent-sandbox: each user has a StatefulSet with no replica or one, and its volume.

Its pod is the cluster's PodTemplate `runner` (k8s/overlays/minimal), read again at every wake, so that a sleeping box
gets a new image. Its address is a name of the headless Service `runners`, so it stays the same when the pod is
replaced.
"""

from contextlib import suppress
from typing import Final

from core.domain.errors import Conflict, NotFound, RunnerUnavailable
from core.domain.records import UserId
from core.spawner import Phase
from core.spawner.kubernetes_api import ClusterApi, Object, ObjectKind
from core.spawner.kubernetes_view import BOX, USER, BoxView, Progress, anew, images_of, meta_of, name_of

SETS: Final = ObjectKind(group="apps", version="v1", plural="statefulsets")
TEMPLATE: Final = "runner"
SERVICE: Final = "runners"
HOME: Final = "home"  # the volume that the template mounts


class StatefulSetBackend:
    """The backend that uses StatefulSets. `domain` follows the pod's name in its address; `disk_mb` is the size of a
    new user's volume.
    """

    kind = SETS

    def __init__(self, api: ClusterApi, *, domain: str, disk_mb: int) -> None:
        self._api, self._domain, self._disk_mb = api, domain, disk_mb

    async def named(self, user: UserId, progress: Progress) -> str:
        name = name_of(user)
        async with self._api.versions(SETS, name) as versions:
            async for found in versions:
                if found is None:
                    with suppress(Conflict):  # another web was faster
                        await self._api.create(SETS, await self._new(user))
                    continue
                if "deletionTimestamp" not in found["metadata"]:
                    return name
                progress.see(Phase.ASKED, "the user's previous one is still being deleted")
        raise AssertionError("versions() never ends")

    async def find(self, user: UserId) -> str:
        return name_of(user)

    def view(self, found: Object) -> BoxView:
        meta, spec, status = found["metadata"], found["spec"], found.get("status", {})
        awake, pods = spec.get("replicas", 1) > 0, int(status.get("replicas", 0))
        # A StatefulSet does not tell why its pod is missing or not ready.
        current = int(status.get("observedGeneration", 0)) >= int(meta.get("generation", 0))
        return BoxView(
            name=meta["name"],
            pod=f"{meta['name']}-0",
            version=meta["resourceVersion"],
            generation=int(meta.get("generation", 0)),
            holder=(meta.get("annotations") or {}).get(BOX, ""),
            awake=awake and "deletionTimestamp" not in meta,
            resting=not awake and current and not pods,
            process=bool(pods),
            ready=awake and current and int(status.get("readyReplicas", 0)) > 0,
            addresses=(f"{meta['name']}-0.{self._domain}",),
            phase=Phase.STARTING if pods else Phase.UNMADE if awake and current else Phase.ASKED,
            runtime=spec["template"]["spec"].get("runtimeClassName", ""),
        )

    def rest(self) -> Object:
        return {"spec": {"replicas": 0}}

    async def wake(self) -> Object:
        template = await self._template()
        return {"spec": {"replicas": 1, "template": {"spec": anew(template["spec"])}}}

    def images(self, spec: Object) -> list[str]:
        return images_of(spec["template"]["spec"])

    async def remove(self, user: UserId) -> None:
        await self._api.delete(SETS, name_of(user))  # this also deletes the volume, by its retention policy

    async def _template(self) -> Object:
        try:
            return dict((await self._api.pod_template(TEMPLATE))["template"])
        except NotFound as error:
            raise RunnerUnavailable(f"the cluster has no PodTemplate {TEMPLATE}", code="box_refused") from error

    async def _new(self, user: UserId) -> Object:
        """Return a new StatefulSet without a replica; it is woken like every other."""
        template, meta = await self._template(), meta_of(user)
        mine = {USER: meta["labels"][USER]}
        own = template.get("metadata", {})
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{self._disk_mb}Mi"}}}
        return {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": meta,
            "spec": {
                "replicas": 0,
                "serviceName": SERVICE,
                "selector": {"matchLabels": mine},
                "template": {**template, "metadata": {**own, "labels": {**own.get("labels", {}), **mine}}},
                "volumeClaimTemplates": [{"metadata": {"name": HOME}, "spec": claim}],
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
            },
        }
