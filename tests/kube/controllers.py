"""The loops that make a cluster do what its objects say: agent-sandbox's three, and StatefulSets'.

Level-triggered as the real ones: each round looks at everything. What a Sandbox says of itself (conditions, reasons,
messages) is what the upstream controller says; nothing of a pod but its address and node gets through.
"""

import asyncio
from contextlib import suppress
from typing import Any

from tests.kube.objects import Key, Object, Objects, Refused, moment, owner

CORE, EXTENSIONS = "agents.x-k8s.io", "extensions.agents.x-k8s.io"
WARM = "agents.x-k8s.io/warm-pool-sandbox"
ROUND_S = 0.02


class Controllers:
    """`run` until cancelled."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.paused = False  # for tests that look between two steps

    async def run(self) -> None:
        while True:
            seen = self._objects.version
            if not self.paused:
                self._round()
            await self._objects.news(seen, within_s=0.5)
            await asyncio.sleep(ROUND_S)

    def _round(self) -> None:
        for reconcile, group, plural in (
            (self._pool, EXTENSIONS, "sandboxwarmpools"),
            (self._claim, EXTENSIONS, "sandboxclaims"),
            (self._sandbox, CORE, "sandboxes"),
            (self._set, "apps", "statefulsets"),
        ):
            for key, one in self._objects.find(group, plural):
                with suppress(Refused):  # something changed or was refused: the next round sees it
                    reconcile(key, one)

    # --- agent-sandbox -----------------------------------------------------------------------------------------------

    def _pool(self, key: Key, pool: Object) -> None:
        mine = [one for _, one in self._objects.owned_by(pool)]
        for _ in range(pool["spec"]["replicas"] - len(mine)):
            self._make_sandbox(key.namespace, "", pool, labels={WARM: key.name})

    def _claim(self, key: Key, claim: Object) -> None:
        sandbox = next(iter(self._objects.owned_by(claim)), None)
        if sandbox is None:
            name = claim["spec"]["warmPoolRef"]["name"]
            try:
                pool = self._objects.get(Key(EXTENSIONS, "sandboxwarmpools", key.namespace, name))
            except Refused:
                self._claim_says(key, claim, "WarmPoolNotFound", f'SandboxWarmPool "{name}" not found')
                return
            self._adopt(key, claim, pool)
            return
        spare, found = sandbox
        ready = condition(found, "Ready")
        status = {
            "sandbox": {"name": spare.name, "podIPs": found.get("status", {}).get("podIPs", [])},
            "conditions": conditions(claim, [ready] if ready else []),
        }
        self._objects.replace(key, {**claim, "status": status}, status=True)

    def _adopt(self, key: Key, claim: Object, pool: Object) -> None:
        """A warm one, those that are ready first, or a cold one."""
        spares = sorted(self._objects.owned_by(pool), key=lambda pair: not is_true(pair[1], "Ready"))
        if not spares:
            self._make_sandbox(key.namespace, key.name, claim, pool=pool)
            return
        spare, sandbox = spares[0]
        sandbox["metadata"]["ownerReferences"] = owner(claim)
        sandbox["metadata"]["labels"] = {"agents.x-k8s.io/claim-uid": claim["metadata"]["uid"]}
        self._objects.replace(spare, sandbox)

    def _claim_says(self, key: Key, claim: Object, reason: str, message: str) -> None:
        said = {"type": "Ready", "status": "False", "reason": reason, "message": message}
        self._objects.replace(key, {**claim, "status": {"conditions": conditions(claim, [said])}}, status=True)

    def _make_sandbox(
        self,
        namespace: str,
        name: str,
        whose: Object,
        *,
        pool: Object | None = None,
        labels: dict[str, str] | None = None,
    ) -> None:
        source = pool or whose
        reference = Key(EXTENSIONS, "sandboxtemplates", namespace, source["spec"]["sandboxTemplateRef"]["name"])
        template = self._objects.get(reference)["spec"]
        meta = {
            "generateName": source["metadata"]["name"] + "-",
            "ownerReferences": owner(whose),
            "labels": labels or {"agents.x-k8s.io/claim-uid": whose["metadata"]["uid"]},
        }
        spec = {name: template[name] for name in ("podTemplate", "volumeClaimTemplates", "service") if name in template}
        self._objects.create(Key(CORE, "sandboxes", namespace, name), {"metadata": meta, "spec": spec})

    def _sandbox(self, key: Key, sandbox: Object) -> None:
        error, pod = "", None
        place = Key("", "pods", key.namespace, key.name)
        try:
            volumes = self._claims(key, sandbox, sandbox["spec"].get("volumeClaimTemplates", []), f"-{key.name}")
            pod = self._pod_of(place)
            if sandbox["spec"]["operatingMode"] == "Suspended":
                if pod:
                    pod = self._objects.delete(place)
            elif not pod:
                pod = self._make_pod(place, sandbox, sandbox["spec"]["podTemplate"], volumes)
        except Refused as refused:
            error = refused.message
        status = {**sandbox.get("status", {}), "podIPs": [], "nodeName": ""}
        if pod:
            status["podIPs"] = [one["ip"] for one in pod.get("status", {}).get("podIPs", [])]
            status["nodeName"] = pod["spec"].get("nodeName", "")
        said = sandbox_conditions(sandbox, pod, error)
        status["conditions"] = conditions(sandbox, said)
        self._objects.replace(key, {**sandbox, "status": status}, status=True)

    # --- StatefulSets ------------------------------------------------------------------------------------------------

    def _set(self, key: Key, given: Object) -> None:
        """Scale a StatefulSet to one replica or none, which is all that is needed."""
        spec, place = given["spec"], Key("", "pods", key.namespace, f"{key.name}-0")
        keep = spec.get("persistentVolumeClaimRetentionPolicy", {}).get("whenDeleted") == "Delete"
        volumes = self._claims(key, given if keep else None, spec.get("volumeClaimTemplates", []), f"-{key.name}-0")
        pod = self._pod_of(place)
        if spec["replicas"] == 0 and pod:
            pod = self._objects.delete(place)
        elif spec["replicas"] and pod and pod.get("status", {}).get("phase") == "Failed":
            pod = self._objects.delete(place)
        elif spec["replicas"] and not pod:
            named = {"hostname": place.name, "subdomain": spec["serviceName"]}
            template = {**spec["template"], "spec": spec["template"]["spec"] | named}
            with suppress(Refused):  # its status tells that there is none, and an event, why
                pod = self._make_pod(place, given, template, volumes)
        ready = int(bool(pod and is_true(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]))
        status = {
            "observedGeneration": given["metadata"]["generation"],
            "replicas": int(bool(pod)),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        self._objects.replace(key, {**given, "status": status}, status=True)

    # --- both --------------------------------------------------------------------------------------------------------

    def _pod_of(self, place: Key) -> Object | None:
        with suppress(Refused):
            return self._objects.get(place)
        return None

    def _claims(self, key: Key, whose: Object | None, templates: list[Object], suffix: str) -> list[Object]:
        """The volumes that a pod gets, their claims made."""
        volumes = []
        for template in templates:
            name = template["metadata"]["name"]
            place = Key("", "persistentvolumeclaims", key.namespace, name + suffix)
            with suppress(Refused):
                references = owner(whose) if whose else []
                self._objects.create(place, {"metadata": {"ownerReferences": references}, "spec": template["spec"]})
            volumes.append({"name": name, "persistentVolumeClaim": {"claimName": place.name}})
        return volumes

    def _make_pod(self, place: Key, whose: Object, template: Object, volumes: list[Object]) -> Object:
        spec = {**template["spec"], "volumes": [*template["spec"].get("volumes", []), *volumes]}
        meta = {"labels": template.get("metadata", {}).get("labels", {}), "ownerReferences": owner(whose)}
        return self._objects.create(place, {"metadata": meta, "spec": spec})


def condition(of: Object, kind: str) -> Object | None:
    return next((one for one in of.get("status", {}).get("conditions", []) if one["type"] == kind), None)


def is_true(of: Object, kind: str) -> bool:
    found = condition(of, kind)
    return bool(found and found["status"] == "True")


def conditions(of: Object, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return conditions with the time at which each last changed."""
    result = []
    for one in said:
        before = condition(of, one["type"])
        same = before and before["status"] == one["status"]
        result.append({**one, "lastTransitionTime": before["lastTransitionTime"] if before and same else moment()})
    return result


def sandbox_conditions(sandbox: Object, pod: Object | None, error: str) -> list[dict[str, Any]]:
    """Suspended, Finished, PodScheduled, Ready, as upstream's computeConditions."""
    seen = {"observedGeneration": sandbox["metadata"]["generation"]}
    suspended = sandbox["spec"]["operatingMode"] == "Suspended"
    phase = (pod or {}).get("status", {}).get("phase", "Pending")
    said: list[dict[str, Any]] = []
    if suspended and not pod:
        said.append(_said("Suspended", "True", "PodTerminated", "Pod has been terminated. Sandbox is suspended"))
    elif suspended:
        said.append(_said("Suspended", "False", "PodNotTerminated", "Pod is terminating. Sandbox is suspending"))
    else:
        said.append(_said("Suspended", "False", "NotSuspended", "Sandbox is not suspended"))
    ends = {"Failed": "PodFailed", "Succeeded": "PodSucceeded"}
    if pod and phase in ends:
        said.append(_said("Finished", "True", ends[phase], "Pod failed"))
    if pod and (scheduled := condition(pod, "PodScheduled")):
        reason = scheduled.get("reason", "PodScheduled")
        said.append(_said("PodScheduled", scheduled["status"], reason, scheduled.get("message", "")))
    said.append(_ready(pod, phase, suspended=suspended, error=error))
    return [{**one, **seen} for one in said]


def _ready(pod: Object | None, phase: str, *, suspended: bool, error: str) -> dict[str, Any]:
    if error:
        return _said("Ready", "False", "ReconcilerError", f"Error seen: {error}")
    if suspended:
        return _said(
            "Ready", "False", "SandboxSuspended", "Sandbox is suspended" if not pod else "Sandbox is suspending"
        )
    if not pod:
        return _said("Ready", "False", "DependenciesNotReady", "Pod does not exist")
    if phase in ("Failed", "Succeeded"):
        return _said("Ready", "False", f"Pod{phase}", "Pod failed")
    if phase != "Running":
        return _said("Ready", "False", "DependenciesNotReady", f"Pod exists with phase: {phase}")
    if not is_true(pod, "Ready"):
        return _said("Ready", "False", "DependenciesNotReady", "Pod is Running but not Ready")
    return _said("Ready", "True", "DependenciesReady", "Pod is Ready")


def _said(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message}
