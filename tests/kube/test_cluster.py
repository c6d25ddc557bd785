"""The fake cluster refuses what a real one refuses: only then does it prove anything about who talks to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.kube.cluster import NAMESPACE, Cluster
from tests.kube.controllers import CORE, EXTENSIONS
from tests.kube.objects import Key, Object, Objects, Refused
from tests.kube.words import merged, patched, selects

PATIENCE_S = 30.0
CLAIM = {"metadata": {"name": "one"}, "spec": {"warmPoolRef": {"name": "runners"}}}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON = {"Content-Type": "application/json-patch+json"}


class Caller:
    """Speaks HTTP to it, as the web does."""

    def __init__(self, cluster: Cluster, http: aiohttp.ClientSession) -> None:
        self.cluster, self._http = cluster, http

    def place(
        self, plural: str, *, group: str = EXTENSIONS, version: str = "v1beta1", namespace: str = NAMESPACE
    ) -> str:
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        return f"{self.cluster.url}{base}/namespaces/{namespace}/{plural}"

    async def __call__(self, method: str, url: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        async with self._http.request(method, url, data=data, **more) as answer:
            return answer.status, await answer.json()

    def watch(self, url: str, **query: str) -> Any:
        return self._http.get(url, params={"watch": "true", **query})


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Caller]:
    async with Cluster(tmp_path) as cluster, aiohttp.ClientSession() as http:
        yield Caller(cluster, http)


async def event(answer: aiohttp.ClientResponse) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return json.loads(await answer.content.readline())


async def until(so: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not so():
            await asyncio.sleep(0.02)


def ready(cluster: Cluster) -> list[Object]:
    found = cluster.all("sandboxes", CORE)
    return [one for one in found if one.get("status", {}).get("conditions", [{}])[-1].get("status") == "True"]


async def test_the_web_may_what_its_role_says_and_nothing_else(call: Caller) -> None:
    claims = call.place("sandboxclaims")
    assert (await call("POST", claims, CLAIM))[0] == 201
    assert (await call("GET", claims))[0] == 200
    assert (await call("PATCH", claims + "/one", {}, headers=MERGE))[0] == 403
    sandboxes = call.place("sandboxes", group=CORE)
    [first, *_] = (await call("GET", sandboxes))[1]["items"]
    name = first["metadata"]["name"]
    for method, url in (
        ("GET", call.place("pods", group="", version="v1")),
        ("GET", call.place("secrets", group="", version="v1")),
        ("POST", call.place("pods", group="", version="v1") + f"/{name}/exec"),
        ("GET", call.place("sandboxclaims", namespace="default")),
        ("DELETE", f"{sandboxes}/{name}"),
        ("PUT", f"{sandboxes}/{name}"),
        ("PATCH", f"{sandboxes}/{name}/status"),
        ("GET", call.place("statefulsets", group="apps", version="v1")),
    ):
        status, said = await call(method, url, {} if method != "GET" else None, headers=MERGE)
        assert (status, said["reason"]) == (403, "Forbidden"), (method, url)


async def test_what_the_schema_does_not_allow_is_refused_and_what_it_does_not_know_is_dropped(call: Caller) -> None:
    claims = call.place("sandboxclaims")
    assert (await call("POST", claims, {"metadata": {"name": "x"}, "spec": {}}))[0] == 422
    made = (await call("POST", claims, {**CLAIM, "spec": {**CLAIM["spec"], "unheardOf": 1}}))[1]
    assert made["spec"] == CLAIM["spec"]
    [first, *_] = (await call("GET", call.place("sandboxes", group=CORE)))[1]["items"]
    assert first["spec"]["operatingMode"] == "Running", "the schema's default"
    url = f"{call.place('sandboxes', group=CORE)}/{first['metadata']['name']}"
    assert (await call("PATCH", url, {"spec": {"operatingMode": "Sleeping"}}, headers=MERGE))[0] == 422
    assert (await call("PATCH", url, {"spec": {"volumeClaimTemplates": []}}, headers=MERGE))[0] == 422, "immutable"
    assert (await call("PATCH", url, {"spec": {}}))[0] == 415


async def test_a_change_against_an_old_version_or_another_uid_is_a_conflict(call: Caller) -> None:
    await until(lambda: len(ready(call.cluster)) == 2)
    found = ready(call.cluster)[0]
    url, version = (
        f"{call.place('sandboxes', group=CORE)}/{found['metadata']['name']}",
        found["metadata"]["resourceVersion"],
    )
    patch = {"metadata": {"resourceVersion": version, "annotations": {"a": "1"}}}
    status, after = await call("PATCH", url, patch, headers=MERGE)
    assert (status, after["metadata"]["generation"]) == (200, 1), "annotations are no new generation"
    assert (await call("PATCH", url, patch, headers=MERGE))[0] == 409
    assert (await call("PATCH", url, {"metadata": {"uid": "another"}}, headers=MERGE))[0] == 409
    failing = [{"op": "test", "path": "/spec/operatingMode", "value": "Suspended"}]
    assert (await call("PATCH", url, failing, headers=JSON))[0] == 422
    claims = call.place("sandboxclaims")
    assert [(await call("POST", claims, CLAIM))[0] for _ in range(2)] == [201, 409]


async def test_a_watch_begins_where_a_list_ended_and_misses_nothing(call: Caller) -> None:
    claims = call.place("sandboxclaims")
    version = (await call("GET", claims))[1]["metadata"]["resourceVersion"]
    await call("POST", claims, CLAIM)
    async with call.watch(claims, resourceVersion=version, fieldSelector="metadata.name=one") as answer:
        assert (await event(answer))["type"] == "ADDED"
        assert (await event(answer))["type"] == "MODIFIED"
        await call("DELETE", claims + "/one")
        while (said := await event(answer))["type"] == "MODIFIED":
            continue
        assert said["type"] == "DELETED"
    async with call.watch(claims, labelSelector="nobody=has", allowWatchBookmarks="true") as answer:
        assert (await event(answer))["type"] == "BOOKMARK"


async def test_who_watches_from_a_forgotten_version_is_told_so(call: Caller) -> None:
    claims = call.place("sandboxclaims")
    version = (await call("GET", claims))[1]["metadata"]["resourceVersion"]
    await call("POST", claims, CLAIM)
    call.cluster.objects.forget_history()
    async with call.watch(claims, resourceVersion=version) as answer:
        said = await event(answer)
        assert (said["type"], said["object"]["code"]) == ("ERROR", 410)


async def test_a_claim_takes_a_warm_sandbox_and_its_end_takes_all_with_it(call: Caller) -> None:
    await until(lambda: len(ready(call.cluster)) == 2)
    before = {one["metadata"]["name"] for one in ready(call.cluster)}
    await call("POST", call.place("sandboxclaims"), CLAIM)
    await until(lambda: call.cluster.all("sandboxclaims", EXTENSIONS)[0].get("status", {}).get("sandbox"))
    name = call.cluster.all("sandboxclaims", EXTENSIONS)[0]["status"]["sandbox"]["name"]
    assert name in before
    await until(lambda: len(ready(call.cluster)) == 3)  # the pool has made another
    await call("DELETE", call.place("sandboxclaims") + "/one")
    await until(lambda: name not in {one["metadata"]["name"] for one in call.cluster.all("pods")})
    assert f"home-{name}" not in {one["metadata"]["name"] for one in call.cluster.all("persistentvolumeclaims")}


async def test_a_suspended_sandbox_loses_its_pod_and_keeps_its_volume(call: Caller) -> None:
    await until(lambda: len(ready(call.cluster)) == 2)
    name = ready(call.cluster)[0]["metadata"]["name"]
    before = call.cluster.pod_of(name)["metadata"]["uid"]
    url = f"{call.place('sandboxes', group=CORE)}/{name}"
    await call("PATCH", url, {"spec": {"operatingMode": "Suspended"}}, headers=MERGE)
    await until(lambda: name not in {one["metadata"]["name"] for one in call.cluster.all("pods")})
    assert f"home-{name}" in {one["metadata"]["name"] for one in call.cluster.all("persistentvolumeclaims")}
    await call("PATCH", url, {"spec": {"operatingMode": "Running"}}, headers=MERGE)
    await until(lambda: len(ready(call.cluster)) == 2)
    assert call.cluster.pod_of(name)["metadata"]["uid"] != before


async def test_a_container_that_is_killed_is_started_again_in_the_same_pod(call: Caller) -> None:
    await until(lambda: len(ready(call.cluster)) == 2)
    name = ready(call.cluster)[0]["metadata"]["name"]
    before = call.cluster.pod_of(name)
    call.cluster.kubelet.kill(name)
    await until(lambda: call.cluster.pod_of(name)["status"]["containerStatuses"][0]["restartCount"] == 1)
    after = call.cluster.pod_of(name)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["podIPs"] == before["status"]["podIPs"]
    assert after["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] == "OOMKilled"


async def test_discovery_says_what_is_installed(call: Caller, tmp_path: Path) -> None:
    url = f"/apis/{EXTENSIONS}/v1beta1"
    assert (await call("GET", call.cluster.url + url))[0] == 200
    async with Cluster(tmp_path / "plain", overlay="minimal") as plain:
        assert (await call("GET", plain.url + url))[0] == 404
        assert (await call("GET", plain.url + "/apis/apps/v1"))[0] == 200


def test_objects_go_with_their_owner() -> None:
    objects = Objects()
    parent = objects.create(Key("", "secrets", "a", "parent"), {"metadata": {}})
    child = {"metadata": {"ownerReferences": [{"uid": parent["metadata"]["uid"]}]}}
    objects.create(Key("", "secrets", "a", "child"), child)
    objects.delete(Key("", "secrets", "a", "parent"))
    with pytest.raises(Refused, match="not found"):
        objects.get(Key("", "secrets", "a", "child"))


@pytest.mark.parametrize(
    ("selector", "fits"),
    [("a=1", True), ("a==1,b!=2", True), ("a in (1, 2)", True), ("a notin (1)", False), ("!c", True), ("a,c", False)],
)
def test_label_selectors(selector: str, fits: bool) -> None:
    assert selects({"a": "1", "b": "3"}, selector) is fits


def test_patches() -> None:
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": [1]}}) == {"a": {"c": 2, "d": [1]}}
    before = {"a": {"b/c": 1}, "l": [1]}
    operations = [{"op": "replace", "path": "/a/b~1c", "value": 2}, {"op": "add", "path": "/l/-", "value": 2}]
    assert patched(before, operations) == {"a": {"b/c": 2}, "l": [1, 2]}
    assert before == {"a": {"b/c": 1}, "l": [1]}
    with pytest.raises(ValueError, match="nowhere"):
        patched(before, [{"op": "remove", "path": "/x/y"}])
