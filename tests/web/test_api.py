"""The JSON API and the health checks over the real guards, with the real store and a scripted runner."""

import re

import pytest

from core.domain.events import UserSaid, numbered
from core.domain.records import Connection, UserId, now
from tests.web.conftest import Served


async def test_an_agent_is_made_talked_to_and_its_events_are_read(served: Served) -> None:
    made = await served.new()
    session = made["session"]["id"]
    said = await served.owner.post(f"/api/v1/sessions/{session}/messages", json={"text": "안녕", "message_id": "1"})
    assert (said.status_code, said.json()) == (202, {"seq": 2})
    again = await served.owner.post(f"/api/v1/agents/{made['agent']['id']}/sessions")
    assert again.status_code == 201
    events = await served.owner.get(f"/api/v1/sessions/{session}/events?after=0")
    assert set(events.json()) == {"events", "last_seq"}
    assert [agent["id"] for agent in (await served.owner.get("/api/v1/agents")).json()["agents"]] == [
        made["agent"]["id"]
    ]


async def test_what_was_said_is_found(served: Served) -> None:
    session = (await served.new())["session"]["id"]
    event = numbered(UserSaid(message_id="m", text="새 보고서"), seq=1, at=now())
    await served.store.append(session, [event], owner=UserId("local-owner"))
    [found] = (await served.owner.get("/api/v1/search?q=보고")).json()["messages"]
    assert (found["session"], found["seq"], found["excerpt"], found["marked"]) == (session, 1, "새 보고서", [[2, 4]])
    assert (await served.owner.get("/api/v1/search")).json() == {"messages": []}
    assert (await served.owner.get("/api/v1/search?q=" + "x" * 1000)).status_code == 400
    assert (await served.owner.get("/api/v1/search?q=x&session=nobody")).status_code == 404


async def test_where_an_agent_has_been_is_read(served: Served) -> None:
    made = await served.new()
    agent, path = made["agent"]["id"], f"/api/v1/agents/{made['agent']['id']}/outbound"
    assert (await served.owner.get(path)).json() == {"outbound": []}
    row = Connection(id="1", agent=agent, session="s", host="a.com", port=443, decision="refused", updated_at=now())
    await served.store.put(row, owner=UserId("local-owner"))
    [said] = (await served.owner.get(path)).json()["outbound"]
    assert (said["host"], said["decision"], said["times"]) == ("a.com", "refused", 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "bad_input"), (b"[]", "bad_input"), (b"{}", "bad_input"), (b'{"text":"x"}', "bad_message"),
     (b'{"text":"\xff"}', "bad_input"), (b"[" * 100_000, "bad_input"), (b'{"text":null,"message_id":"1"}', "bad_input"),
     (b'{"text":["a"],"message_id":"1"}', "bad_input"), (b'{"text":7,"message_id":"1"}', "bad_input"),
     (b'{"text":"x","message_id":1}', "bad_input"), (b'{"text":"x","message_id":null}', "bad_input")],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
async def test_a_body_without_sense_is_a_problem_with_a_code(served: Served, body: bytes, code: str) -> None:
    session = (await served.new())["session"]["id"]
    answer = await served.owner.post(f"/api/v1/sessions/{session}/messages", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert re.fullmatch(r"[A-Z].+\.", answer.json()["detail"]), "a sentence"


async def test_the_same_idempotency_key_makes_one_agent_one_session_and_one_message(served: Served) -> None:
    key = {"idempotency-key": "k1"}
    first, again = [(await served.owner.post("/api/v1/agents", headers=key)).json() for _ in range(2)]
    assert (first["agent"]["id"], first["session"]["id"]) == (again["agent"]["id"], again["session"]["id"])
    path = f"/api/v1/agents/{first['agent']['id']}/sessions"
    opened = {(await served.owner.post(path, headers=key)).json()["id"] for _ in range(2)}
    assert len(opened) == 1
    other = await served.owner.post(path, headers={"idempotency-key": "k2"})
    assert other.json()["id"] not in opened
    path = f"/api/v1/sessions/{first['session']['id']}/messages"
    said = [(await served.owner.post(path, headers=key, json={"text": "안녕"})).json()["seq"] for _ in range(2)]
    assert said[0] == said[1]
    assert len((await served.owner.get("/api/v1/agents")).json()["agents"]) == 1


async def test_agents_come_in_pages_and_each_once(served: Served) -> None:
    made = {(await served.new())["agent"]["id"] for _ in range(5)}
    found: list[str] = []
    path = "/api/v1/agents?limit=2"
    for _ in range(3):
        page = (await served.owner.get(path)).json()
        found += [agent["id"] for agent in page["agents"]]
        path = f"/api/v1/agents?limit=2&after={page.get('next', '')}"
    assert "next" not in page
    assert (len(found), set(found)) == (5, made)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=x", "after=%00", "after=WzFd", "after=" + "A" * 201])
async def test_a_query_without_sense_is_a_problem(served: Served, query: str) -> None:
    answer = await served.owner.get(f"/api/v1/agents?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_input")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_path_or_method_that_the_api_does_not_have_is_a_problem(served: Served) -> None:
    for method, path, status, code in (
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", "/api/v1/agents", 405, "method_not_allowed"),
    ):
        answer = await served.owner.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_session_that_is_not_there_is_404_on_every_route(served: Served) -> None:
    await served.new()
    for method, path in (
        ("GET", "/api/v1/sessions/x/events"),
        ("POST", "/api/v1/sessions/x/messages"),
        ("POST", "/api/v1/agents/x/sessions"),
        ("GET", "/api/v1/agents/x/outbound"),
    ):
        answer = await served.owner.request(method, path, json={"text": "a", "message_id": "1"})
        assert answer.status_code == 404, path
        assert answer.json()["code"] == "not_found", path


async def test_nobody_gets_401_everywhere_and_learns_nothing(served: Served) -> None:
    session = (await served.new())["session"]["id"]
    for method, path in (
        ("GET", "/api/v1/agents"),
        ("POST", "/api/v1/agents"),
        ("GET", f"/api/v1/sessions/{session}/events"),
        ("POST", f"/api/v1/sessions/{session}/messages"),
        ("GET", "/api/v1/agents/x/outbound"),
    ):
        assert (await served.nobody.request(method, path)).status_code == 401, path


async def test_ready_means_store_and_gateway_answer_and_no_one_is_leaving(served: Served) -> None:
    assert (await served.nobody.get("/healthz")).json() == {"status": "ok"}
    assert (await served.nobody.get("/readyz")).status_code == 200
    served.gate.up = False  # type: ignore[attr-defined]
    assert (await served.nobody.get("/readyz")).status_code == 503
    served.draining = True
    assert (await served.nobody.get("/readyz")).json() == {"status": "draining"}


async def test_channels_are_made_changed_tested_and_deleted_and_show_no_secret(served: Served) -> None:
    ask, path = served.owner.request, "/api/v1/notifications/channels/slack1"
    refused = await ask("PUT", path, json={"kind": "slack", "url": "https://127.0.0.1/secret-path"})
    assert (refused.status_code, refused.json()["code"]) == (400, "channel_refused")
    no_mail = await ask("PUT", path, json={"kind": "email", "email": "a@example.com"})
    assert (no_mail.status_code, no_mail.json()["code"]) == (400, "bad_channel")
    made = await ask(
        "PUT", path, json={"kind": "webhook", "url": "https://nowhere.invalid/secret-path", "name": "Ours"}
    )
    assert made.status_code == 200, made.text
    assert (made.json()["address"], made.json()["signing_key"][:6]) == ("nowhere.invalid", "whsec_")
    again = await ask("PUT", path, json={"kind": "webhook", "name": "Ours", "kinds": ["failed"]})
    assert (again.json()["kinds"], again.json()["signing_key"]) == (["failed"], "")
    sent = (await ask("POST", f"{path}/test")).json()
    assert (sent["state"], sent["attempts"][0]["ok"]) == ("failed", False)
    hours = {"timezone": "Asia/Seoul", "start": "22:00", "end": "08:00"}
    assert (await ask("PUT", "/api/v1/notifications/quiet-hours", json=hours)).json() == hours
    wrong = await ask("PUT", "/api/v1/notifications/quiet-hours", json=hours | {"timezone": "Mars"})
    assert wrong.json()["code"] == "bad_quiet_hours"
    page = await ask("GET", "/api/v1/notifications")
    whole = page.json()
    assert ([one["id"] for one in whole["channels"]], whole["quiet_hours"]) == (["slack1"], hours)
    assert [one["kind"] for one in whole["notifications"]] == ["test"]
    assert "secret-path" not in page.text + made.text + again.text
    assert (await ask("DELETE", path)).status_code == 200
    assert (await ask("GET", path)).status_code == 404
    assert (await served.nobody.get("/api/v1/notifications")).status_code == 401
