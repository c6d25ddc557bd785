"""The OpenAPI document and what the server does are one thing: every route is asked in every way that may go wrong."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator

from core.domain.agent_wishes import AgentWishes, Wish, WishKind
from core.domain.records import Agent, UserId, new_agent_id, new_session_id
from core.runner.versions.packing import packed
from core.runner.versions.tree import File
from tests.web.conftest import Served
from web.api import PREFIX, application, openapi

# Nothing is asked of the services while the document is made.
MADE = openapi.described(application(None, None), prefix=PREFIX)  # type: ignore[arg-type]
DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(MADE))

# A body that each route with a body takes.
BODIES: dict[str, dict[str, Any]] = {
    "POST /sessions/{session}/messages": {"text": "안녕", "message_id": "m1"},
    "POST /agents/{agent}/runs": {},
    "POST /agents/{agent}/tests/run": {"only": "greets"},
    "POST /agents/{agent}/triggers": {"cron": "0 9 * * 1-5", "timezone": "Asia/Seoul", "jitter_s": 0, "enabled": True},
    "PATCH /triggers/{trigger}": {"timezone": "Asia/Seoul"},
    "POST /triggers/{trigger}/pause": {"why": "휴가"},
    "PUT /limits": {"duration_s": 600},
    "PUT /admin/limits": {"platform_month_usd": 100.0},
    "PUT /admin/users/{user_id}/limits": {"user_month_usd": 5.0},
    "POST /agents/{agent}/files:move": {"source": "notes.txt", "target": "moved.txt"},
    "POST /agents/{agent}/files:restore": {"trash": ""},
    "PATCH /agents/{agent}": {"name": "Digest", "revision": 0},
    "PUT /agents/{agent}/instructions": {"text": "Read.", "etag": ""},
    "POST /agents/{agent}/wishes": {"kind": "host", "value": "api.example.com", "yes": True},
    "POST /agents/{agent}/publish": {"note": "first"},
    "POST /agents/{agent}/changes:revert": {"since": "session", "path": "notes.txt"},
    "POST /triggers/preview": {"cron": "0 9 * * 1-5"},
    "PUT /notifications/quiet-hours": {"timezone": "Asia/Seoul", "start": "22:00", "end": "08:00"},
    "PUT /notifications/channels/{channel}": {"kind": "slack", "url": "https://nowhere.invalid/x"},
}
ANY_ID = ("PUT /notifications/channels/{channel}", "DELETE /notifications/channels/{channel}")  # may be a new one
NOT_OBJECTS = (b"", b"null", b"7", b'"text"', b"[]", b"{", b"\xff", b"[" * 50_000)


FILE = "/agents/{agent}/files/{path}"
ANY_TEXT = {
    ("GET /agents/{agent}/files:zip", "path"),
    ("GET /agents/{agent}/changes", "session"),
    ("GET /search", "q"),
    ("GET /search", "session"),
}  # parameters that take every text


def operations() -> list[str]:
    return [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]


def operation(route: str) -> dict[str, Any]:
    method, _, path = route.partition(" ")
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def hold(route: str, answer: httpx.Response) -> None:
    """The answer is one that the document declares, with a body of the schema it declares."""
    declared = operation(route)["responses"]
    assert str(answer.status_code) in declared, f"{answer.status_code} is not declared: {answer.text[:300]}"
    contents = declared[str(answer.status_code)]["content"]
    assert answer.headers["content-type"] in contents
    content = contents[answer.headers["content-type"]]
    if content["schema"].get("format") == "binary":
        return
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(answer.json())


def odd(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`good` with each field once of every wrong type, and once missing."""
    for name, value in good.items():
        for wrong in (None, 7, 1.5, True, ["a"], {"a": 1}, "text"):
            if type(wrong) is not type(value) and not (isinstance(value, float) and wrong == 7):
                yield {**good, name: wrong}


async def ask(who: httpx.AsyncClient, route: str, ids: dict[str, str], **more: Any) -> httpx.Response:
    method, _, path = route.partition(" ")
    return await who.request(method, PREFIX + re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path), **more)


async def ids_of(served: Served, route: str) -> dict[str, str]:
    """Things of the caller's, as the route wants them."""
    made = await served.new()
    agent = made["agent"]["id"]
    await served.store.change(Agent, agent, owner=UserId("local-owner"), draft=False)
    run = (await served.owner.post(f"{PREFIX}/agents/{agent}/runs", json={})).json()["id"]
    if route.endswith("/retry"):
        await served.owner.post(f"{PREFIX}/runs/{run}/cancel")
    trigger = (await served.owner.post(f"{PREFIX}/agents/{agent}/triggers", json={"cron": "0 9 * * *"})).json()["id"]
    slack = BODIES["PUT /notifications/channels/{channel}"]
    await served.owner.put(f"{PREFIX}/notifications/channels/c1", json=slack)
    known = {"agent": agent, "session": made["session"]["id"], "run": run, "trigger": trigger, "channel": "c1"}
    if route.endswith("/wishes"):
        wish = Wish(kind=WishKind.HOST, value="api.example.com")
        await served.store.put(AgentWishes(id=agent, wishes=(wish,)), owner=UserId("local-owner"))
    if "{number}" in route:
        assert (await served.owner.post(f"{PREFIX}/agents/{agent}/publish", json={})).status_code == 201
    return known | {"user_id": "local-owner", "number": "1"} | await files_of(served, route, agent)


async def files_of(served: Served, route: str, agent: str) -> dict[str, str]:
    """A file of this agent, as the route wants it: there, or in the trash."""
    if "/files" not in route:
        return {}
    made = {"path": "notes.txt", "agent": agent}
    assert (await ask(served.owner, f"PUT {FILE}", made, content=b"hello")).status_code == 200
    if route.endswith(":restore"):
        made["trash"] = (await ask(served.owner, f"DELETE {FILE}", made)).json()["trash"]
    return made if route != f"GET {FILE}" else {**made, "path": ""}


def body_of(route: str, ids: dict[str, str]) -> dict[str, Any]:
    """Return the body of a request to this route, as arguments of httpx."""
    content = operation(route).get("requestBody", {}).get("content", {})
    if "application/zip" in content:
        return {"content": packed({"CLAUDE.md": File(b"Read.")})}
    if "application/json" not in content:
        return {"content": b"hello"} if content else {}
    body = BODIES[route]
    return {"json": {**body, "trash": ids["trash"]} if "trash" in body and "trash" in ids else body}


def has_json(route: str) -> bool:
    return "application/json" in operation(route).get("requestBody", {}).get("content", {})


@pytest.mark.parametrize("route", operations())
async def test_every_answer_of_a_route_is_declared_with_its_schema(served: Served, route: str) -> None:
    ids = await ids_of(served, route)
    body = body_of(route, ids)
    well = await ask(served.owner, route, ids, **body)
    assert well.status_code < 300, well.text[:300]
    hold(route, well)
    hold(route, await ask(served.nobody, route, ids, **body))
    random = {
        "agent": new_agent_id(),
        "session": new_session_id(),
        "run": "f00",
        "trigger": "f00",
        "user_id": "f00",
    } | {"number": "1", "channel": "f00"}
    random["path"] = "notes.txt"
    if "{" in route and route not in ANY_ID:
        nowhere = await ask(served.owner, route, random, **body)
        assert nowhere.status_code == 404
        hold(route, nowhere)


@pytest.mark.parametrize("route", [route for route in operations() if has_json(route)])
async def test_a_body_of_another_shape_is_400_and_nothing_becomes_text(served: Served, route: str) -> None:
    ids, good = await ids_of(served, route), BODIES[route]
    optional = not operation(route)["requestBody"]["required"]
    for content in NOT_OBJECTS[1 if optional else 0 :]:
        answer = await ask(served.owner, route, ids, content=content)
        assert answer.status_code == 400, content
        hold(route, answer)
    for body in odd(good):
        answer = await ask(served.owner, route, ids, json=body)
        assert answer.status_code == 400, body
        hold(route, answer)


@pytest.mark.parametrize("route", operations())
async def test_a_query_of_another_shape_is_400(served: Served, route: str) -> None:
    ids = await ids_of(served, route)
    body = body_of(route, ids)
    for parameter in operation(route).get("parameters", ()):
        if parameter["in"] == "query" and (route, parameter["name"]) not in ANY_TEXT:
            for value in ("x" * 1000, "-1", "[]", "\0"):
                answer = await ask(served.owner, route, ids, params={parameter["name"]: value}, **body)
                assert answer.status_code == 400, (parameter["name"], value)
                hold(route, answer)


async def test_the_document_is_served_to_those_who_are_signed_in(served: Served) -> None:
    assert (await served.owner.get(f"{PREFIX}/openapi.json")).json() == DOCUMENT
    assert (await served.nobody.get(f"{PREFIX}/openapi.json")).status_code == 401


def test_every_reference_of_the_document_leads_somewhere() -> None:
    found = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(DOCUMENT)))
    assert found <= set(DOCUMENT["components"]["schemas"])
    assert "HTTPValidationError" not in str(DOCUMENT), "FastAPI's own 422 never happens here"
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_has_a_name_and_a_sentence() -> None:
    names = [operation(route)["operationId"] for route in operations()]
    assert len(names) == len(set(names))
    assert [route for route in operations() if not operation(route).get("description")] == []


def test_the_document_is_openapi() -> None:
    OpenAPI.model_validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")
