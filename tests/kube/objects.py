"""The objects of an API server: with versions, a bounded history of changes, owners, quotas and schemas."""

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.kube.schemas import Schemas

Object = dict[str, Any]


class Key(NamedTuple):
    """The place of an object."""

    group: str
    plural: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A line of a watch."""

    version: int
    kind: str  # ADDED, MODIFIED, DELETED
    key: Key
    object: Object


class Refused(Exception):
    """An answer other than 2xx, as Kubernetes' Status has it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class Objects:
    """Everything in the cluster. Not a coroutine anywhere: nothing happens between a look and a write."""

    def __init__(self, *, history: int = 1000) -> None:
        self.schemas = Schemas()
        self.quotas: list[Callable[[Key, Object], str]] = []  # why an object may not be made; empty: it may
        self.version = 100
        self.history: deque[Change] = deque(maxlen=history)
        self.lost = 0  # the newest version that is not in the history any more
        self._all: dict[Key, Object] = {}
        self._changed = asyncio.Event()

    async def news(self, after: int, *, within_s: float) -> None:
        """Wait until something is newer than `after`, up to a limit."""
        changed = self._changed
        if self.version > after:
            return
        try:
            async with asyncio.timeout(within_s):
                await changed.wait()
        except TimeoutError:
            return

    def get(self, key: Key) -> Object:
        if key not in self._all:
            raise Refused(404, "NotFound", f'{key.plural}.{key.group} "{key.name}" not found')
        return copy.deepcopy(self._all[key])

    def find(self, group: str, plural: str, namespace: str = "") -> list[tuple[Key, Object]]:
        return [
            (key, copy.deepcopy(one))
            for key, one in self._all.items()
            if key[:2] == (group, plural) and namespace in ("", key.namespace)
        ]

    def everything(self) -> list[Object]:
        return copy.deepcopy(list(self._all.values()))

    def create(self, key: Key, given: Object) -> Object:
        if not key.name:
            key = key._replace(name=given["metadata"].get("generateName", "x-") + uuid.uuid4().hex[:5])
        if key in self._all:
            raise Refused(409, "AlreadyExists", f'{key.plural}.{key.group} "{key.name}" already exists')
        made = copy.deepcopy(given)
        made["metadata"] = {
            **made.get("metadata", {}),
            "name": key.name,
            "namespace": key.namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": moment(),
            "generation": 1,
        }
        made.pop("status", None)
        self.schemas.admit(key, made)
        for refusal in filter(None, (quota(key, made) for quota in self.quotas)):
            raise Refused(403, "Forbidden", f'{key.plural} "{key.name}" is forbidden: {refusal}')
        return self._write("ADDED", key, made)

    def replace(self, key: Key, changed: Object, *, status: bool = False) -> Object:
        """Compare-and-set, if `changed` names a version or a uid; status and the rest are never written together."""
        now = self.get(key)
        said = changed.get("metadata", {})
        for name, mine in (("resourceVersion", now["metadata"]["resourceVersion"]), ("uid", now["metadata"]["uid"])):
            if said.get(name, mine) != mine:
                message = f'Operation cannot be fulfilled on {key.plural} "{key.name}": the object has been modified'
                raise Refused(409, "Conflict", message)
        new = copy.deepcopy(now)
        if status:
            new["status"] = copy.deepcopy(changed.get("status", {}))
        else:
            new = {**copy.deepcopy(changed), **({"status": now["status"]} if "status" in now else {})}
            for name in ("uid", "name", "namespace", "creationTimestamp", "deletionTimestamp"):
                if name in now["metadata"]:
                    new["metadata"][name] = now["metadata"][name]
        self.schemas.admit(key, new, before=now)
        new["metadata"]["generation"] = now["metadata"]["generation"] + (new.get("spec") != now.get("spec"))
        new["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"]
        return copy.deepcopy(now) if new == now else self._write("MODIFIED", key, new)

    def delete(self, key: Key, *, uid: str = "") -> Object:
        """A pod is marked, and goes when its kubelet says so; everything else is gone, and what it owns follows."""
        found = self.get(key)
        if uid and uid != found["metadata"]["uid"]:
            raise Refused(409, "Conflict", "the uid in the precondition does not match")
        if key.plural != "pods":
            return self.remove(key)
        if "deletionTimestamp" in found["metadata"]:
            return found
        found["metadata"]["deletionTimestamp"] = moment()
        return self._write("MODIFIED", key, found)

    def remove(self, key: Key) -> Object:
        """Remove an object for good."""
        found = self._all.pop(key)
        self._write("DELETED", key, found)
        for owned, _ in list(self.owned_by(found)):
            if owned in self._all:
                self.delete(owned)
        return found

    def owned_by(self, owner: Object) -> Iterator[tuple[Key, Object]]:
        uid = owner["metadata"]["uid"]
        for key, one in self._all.items():
            if any(reference["uid"] == uid for reference in one["metadata"].get("ownerReferences", [])):
                yield key, copy.deepcopy(one)

    def forget_history(self) -> None:
        """Drop old versions as compaction does: a watch from before now gets 410."""
        self.lost = self.version
        self.history.clear()

    def _write(self, kind: str, key: Key, written: Object) -> Object:
        self.version += 1
        written["metadata"]["resourceVersion"] = str(self.version)
        if kind != "DELETED":
            self._all[key] = written
        if len(self.history) == self.history.maxlen:
            self.lost = self.history[0].version
        self.history.append(Change(version=self.version, kind=kind, key=key, object=copy.deepcopy(written)))
        self._changed.set()
        self._changed = asyncio.Event()
        return copy.deepcopy(written)


def moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner(of: Object) -> list[dict[str, Any]]:
    """The reference that makes an object go with `of`."""
    meta = of["metadata"]
    said = {"apiVersion": of["apiVersion"], "kind": of["kind"], "name": meta["name"], "uid": meta["uid"]}
    return [{**said, "controller": True, "blockOwnerDeletion": True}]
