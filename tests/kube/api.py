"""The HTTP side of the API server: whoever calls is the web's service account and has its rights only."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from tests.kube.objects import Key, Object, Objects, Refused
from tests.kube.rights import Rights
from tests.kube.words import field_selects, merged, patched, selects

BOOKMARK_S = 1.0
VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """`application()` serves the objects; `cut()` ends all watches that are open."""

    def __init__(self, objects: Objects, rights: Rights) -> None:
        self._objects, self.rights = objects, rights
        self._watching: set[asyncio.Task[Any]] = set()
        self.asked: list[tuple[str, str]] = []  # verb and resource, for tests that count

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._refusals])
        app.router.add_get("/version", self._version)
        app.router.add_get("/apis", self._groups)
        for base in ("/api/v1", "/apis/{group}/{version}"):
            app.router.add_get(base, self._resources)
            place = base + "/namespaces/{namespace}/{plural}"
            app.router.add_route("*", place, self._collection)
            app.router.add_route("*", place + "/{name}", self._item)
            app.router.add_route("*", place + "/{name}/{part}", self._item)
        return app

    def cut(self) -> None:
        for task in self._watching:
            task.cancel()

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            return _status(error)
        except web.HTTPNotFound:
            return _status(Refused(404, "NotFound", "the server could not find the requested resource"))

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0-fake"})

    async def _groups(self, _: web.Request) -> web.Response:
        found = sorted({(group, kind[0]) for (group, _), kind in self._objects.schemas.kinds.items() if group})
        groups = [{"name": g, "versions": [{"groupVersion": f"{g}/{v}", "version": v}]} for g, v in found]
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def _resources(self, request: web.Request) -> web.Response:
        group = request.match_info.get("group", "")
        kinds = self._objects.schemas.kinds.items()
        verbs = {"verbs": sorted({*VERBS.values(), "list", "watch"}), "namespaced": True}
        found = [
            {"name": p, "singularName": kind.lower(), "kind": kind, **verbs}
            for (g, p), (_, kind) in kinds
            if g == group
        ]
        if not found:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return web.json_response(
            {"kind": "APIResourceList", "groupVersion": request.path.split("/", 2)[2], "resources": found}
        )

    def _key(self, request: web.Request, verb: str) -> Key:
        said = request.match_info
        key = Key(said.get("group", ""), said["plural"], said["namespace"], said.get("name", ""))
        resource = "/".join(filter(None, (key.plural, said.get("part", ""))))
        self.asked.append((verb, resource))
        if (key.group, key.plural) not in self._objects.schemas.kinds:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if not self.rights.allow(verb, key.group, resource, key.namespace, key.name):
            who = "system:serviceaccount:oh-my-agent:web"
            place = f'API group "{key.group}" in the namespace "{key.namespace}"'
            message = f'{resource} is forbidden: User "{who}" cannot {verb} resource "{resource}" in {place}'
            raise Refused(403, "Forbidden", message)
        return key

    async def _collection(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            key, given = self._key(request, "create"), await _body(request)
            made = self._objects.create(key._replace(name=given.get("metadata", {}).get("name", "")), given)
            return web.json_response(made, status=201)
        if request.method != "GET":
            raise Refused(405, "MethodNotAllowed", "not allowed on a collection")
        if request.query.get("watch", "").lower() in ("true", "1"):
            return await self._watch(request, self._key(request, "watch"))
        key = self._key(request, "list")
        found = [one for _, one in self._objects.find(key.group, key.plural, key.namespace) if _wanted(request, one)]
        meta = {"resourceVersion": str(self._objects.version)}
        version, kind = self._objects.schemas.versioned(key.group, key.plural)
        return web.json_response({"kind": f"{kind}List", "apiVersion": version, "metadata": meta, "items": found})

    async def _item(self, request: web.Request) -> web.Response:
        key = self._key(request, VERBS[request.method])
        status = request.match_info.get("part") == "status"
        if request.method == "GET":
            return web.json_response(self._objects.get(key))
        body = await _body(request)
        if request.method == "DELETE":
            self._objects.delete(key, uid=body.get("preconditions", {}).get("uid", ""))
            return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if request.method == "PUT":
            return web.json_response(self._objects.replace(key, body, status=status))
        return web.json_response(self._objects.replace(key, self._patched(request, key, body), status=status))

    def _patched(self, request: web.Request, key: Key, body: Any) -> Object:
        now = self._objects.get(key)
        try:
            match request.content_type:
                case "application/merge-patch+json":
                    return merged(now, body)  # type: ignore[no-any-return]
                case "application/json-patch+json":
                    return patched(now, body)  # type: ignore[no-any-return]
        except ValueError as error:
            raise Refused(422, "Invalid", str(error)) from error
        raise Refused(415, "UnsupportedMediaType", f"{request.content_type} is no patch of this resource")

    async def _watch(self, request: web.Request, key: Key) -> web.StreamResponse:
        asked = request.query.get("resourceVersion", "")
        seen = int(asked) if asked not in ("", "0") else 0
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        task = asyncio.current_task()
        assert task
        self._watching.add(task)
        with suppress(ConnectionError):
            try:
                await self._stream(request, answer, key, seen)
            except asyncio.CancelledError:  # cut: the connection breaks off without an end
                if request.transport:
                    request.transport.abort()
            finally:
                self._watching.discard(task)
        return answer

    async def _stream(self, request: web.Request, answer: web.StreamResponse, key: Key, seen: int) -> None:
        objects, clock = self._objects, asyncio.get_running_loop().time
        if not seen:
            seen = objects.version
            for _, one in objects.find(key.group, key.plural, key.namespace):
                if _wanted(request, one):
                    await answer.write(_line("ADDED", one))
        end = clock() + float(request.query.get("timeoutSeconds", 300))
        while (left := end - clock()) > 0:
            if seen < objects.lost:
                gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                await answer.write(_line("ERROR", {**gone, "status": "Failure", "metadata": {}}))
                return
            fresh = [change for change in objects.history if change.version > seen]
            for change in fresh:
                seen = change.version
                mine = change.key[:2] == key[:2] and change.key.namespace == key.namespace
                if mine and _wanted(request, change.object):
                    await answer.write(_line(change.kind, change.object))
            await objects.news(seen, within_s=min(left, BOOKMARK_S))
            if objects.version == seen and request.query.get("allowWatchBookmarks", "").lower() == "true":
                await answer.write(_line("BOOKMARK", {"metadata": {"resourceVersion": str(seen)}}))


def _wanted(request: web.Request, one: Object) -> bool:
    labels = one["metadata"].get("labels") or {}
    try:
        named = field_selects(one, request.query.get("fieldSelector", ""))
    except ValueError as error:
        raise Refused(400, "BadRequest", str(error)) from error
    return named and selects(labels, request.query.get("labelSelector", ""))


def _line(kind: str, one: Object) -> bytes:
    return json.dumps({"type": kind, "object": one}).encode() + b"\n"


async def _body(request: web.Request) -> Any:
    try:
        return await request.json() if request.can_read_body else {}
    except ValueError as error:
        raise Refused(400, "BadRequest", str(error)) from error


def _status(error: Refused) -> web.Response:
    said = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body = {**said, "reason": error.reason, "message": error.message, "code": error.code}
    return web.json_response(body, status=error.code)
