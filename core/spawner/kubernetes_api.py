"""The verbs on objects of one namespace. This is the only module that knows the Kubernetes client.

Every call is short and has a time limit. Errors that a person can act on are raised as our own, with a code.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from kubernetes_asyncio import client, config

from core.domain.errors import Conflict, Misconfigured, NotFound, RunnerUnavailable

log = logging.getLogger("oma.kubernetes")

CALL_S: Final = 10.0
WATCH_S: Final = 60.0  # the API server ends a watch after this; then the object is read again
PAUSES_S: Final = (0.1, 0.3, 1.0, 2.0)  # between two reads of an object that is missing or does not answer
CONNECTIONS: Final = 1000  # each waiting start has a watch

Object = dict[str, Any]


class ClusterUnreachable(RunnerUnavailable):
    """The API server does not answer, or answers nonsense. The state is unknown, and probably nothing was done."""

    code = "cluster_away"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKind:
    """A kind of Kubernetes objects."""

    group: str
    version: str
    plural: str


class ClusterApi:
    """The verbs that our roles in k8s/ allow, in one namespace."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self._api: Any = client.CustomObjectsApi(api)
        self._core: Any = client.CoreV1Api(api)
        self._namespace = namespace

    async def has(self, kind: ObjectKind) -> bool:
        """True if the cluster knows this kind. Raises: ClusterUnreachable."""
        try:
            found = await self._call("get_api_resources", kind.group, kind.version)
        except NotFound:
            return False
        return any(one.name == kind.plural for one in found.resources)

    async def get(self, kind: ObjectKind, name: str) -> Object:
        """Return an object. Raises: NotFound, RunnerUnavailable."""
        return dict(await self._on("get", kind, name))

    async def some(self, kind: ObjectKind) -> list[Object]:
        """Return one object of this kind, or an empty list. Raises: RunnerUnavailable."""
        return list((await self._on("list", kind, limit=1))["items"])

    async def create(self, kind: ObjectKind, body: Object) -> Object:
        """Create an object. Raises: Conflict: it exists. RunnerUnavailable: the quota, our rights, the API server."""
        return dict(await self._on("create", kind, body))

    async def patch(self, kind: ObjectKind, name: str, patch: Object, *, version: str) -> Object:
        """Merge `patch` if the object still has this version.

        Raises: Conflict: it changed meanwhile. NotFound, RunnerUnavailable.
        """
        checked = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}
        merge = "application/merge-patch+json"
        return dict(await self._on("patch", kind, name, checked, _content_type=merge))

    async def delete(self, kind: ObjectKind, name: str) -> None:
        """Delete an object. Idempotent. Raises: RunnerUnavailable."""
        try:
            await self._on("delete", kind, name)
        except NotFound:
            return

    async def pod_template(self, name: str) -> Object:
        """Return a PodTemplate. Raises: NotFound, RunnerUnavailable."""
        async with (
            _errors(),
            asyncio.timeout(CALL_S),
        ):  # raw, because this client would drop fields that it does not know
            answer = await self._core.read_namespaced_pod_template(name, self._namespace, _preload_content=False)
            body = await answer.read()
            if answer.status != 200:
                raise client.ApiException(status=answer.status, reason=body.decode(errors="replace"))
            return dict(json.loads(body))

    @asynccontextmanager
    async def versions(self, kind: ObjectKind, name: str) -> AsyncIterator[AsyncIterator[Object | None]]:
        """Yield the object now and after every change, without end; None if it does not exist.

        If a watch ends (its time limit, a lost connection, 410, a restart of the API server), the object is read again.
        Raises: RunnerUnavailable: our rights.
        """
        async with aclosing(self._versions(kind, name)) as versions:
            yield versions

    async def _versions(self, kind: ObjectKind, name: str) -> AsyncGenerator[Object | None, None]:
        idle = 0
        while True:
            try:
                found = await self.get(kind, name)
                yield found
                idle = 0
                async with aclosing(self._watch(kind, name, found["metadata"]["resourceVersion"])) as changes:
                    async for changed in changes:
                        yield changed
            except NotFound:
                yield None
            except ClusterUnreachable as error:
                log.info("waiting for %s %s: %s", kind.plural, name, error)
            await asyncio.sleep(PAUSES_S[min(idle, len(PAUSES_S) - 1)])
            idle += 1

    async def _watch(self, kind: ObjectKind, name: str, version: str) -> AsyncGenerator[Object | None, None]:
        """Yield changes until the stream ends. Raises: ClusterUnreachable."""
        async with _errors():
            only = {"field_selector": f"metadata.name={name}", "resource_version": version}
            timeout = aiohttp.ClientTimeout(sock_connect=CALL_S, sock_read=WATCH_S + CALL_S)
            answer = await self._api.list_namespaced_custom_object(
                kind.group, kind.version, self._namespace, kind.plural, watch=True, timeout_seconds=int(WATCH_S),
                allow_watch_bookmarks=True, _preload_content=False, _request_timeout=timeout, **only,
            )  # fmt: skip
            async with answer:
                if answer.status != 200:
                    raise client.ApiException(status=answer.status, reason="watch")
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":  # 410: our version is too old
                        return
                    if event["type"] != "BOOKMARK":
                        yield None if event["type"] == "DELETED" else event["object"]

    async def _on(self, verb: str, kind: ObjectKind, *words: Any, **more: Any) -> Any:
        place = (kind.group, kind.version, self._namespace, kind.plural)
        return await self._call(f"{verb}_namespaced_custom_object", *place, *words, **more)

    async def _call(self, method: str, *words: Any, **more: Any) -> Any:
        async with _errors():
            return await getattr(self._api, method)(*words, _request_timeout=CALL_S, **more)


@asynccontextmanager
async def opened_api(url: str, namespace: str) -> AsyncIterator[ClusterApi]:
    """Connect to the cluster of this pod, or to the one at `url` (for tests; no credential is sent).

    Raises: Misconfigured: there is neither.
    """
    settings = client.Configuration()
    if url:
        settings.host = url
    else:
        try:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise Misconfigured(f"OMA_SPAWNER=kubernetes runs in a cluster only, and this is none: {error}") from error
    settings.connection_pool_maxsize = CONNECTIONS
    async with client.ApiClient(settings) as api:
        yield ClusterApi(api, namespace)


@asynccontextmanager
async def _errors() -> AsyncIterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except client.ApiException as error:
        raise _ours(error) from error
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise ClusterUnreachable(f"the cluster's API server: {type(error).__name__} {error}") from error


def _ours(error: client.ApiException) -> Exception:
    said = f"{error.status} {error.reason} {error.body or ''!s}"[:500]
    if error.status == 404:
        return NotFound(said)
    if error.status == 409:
        return Conflict(said)
    if error.status == 403 and "quota" in said:
        return RunnerUnavailable(said, code="box_quota")
    if error.status in (401, 403):
        return RunnerUnavailable(said, code="box_forbidden")
    if error.status in (400, 422):
        return RunnerUnavailable(said, code="box_refused")
    return ClusterUnreachable(said)
