"""A box sees what is its user's, known by its socket alone, and its model tokens are good for nothing else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from msgspec import structs

from core.config import runtime_dir
from core.config.runtime_dir import Process
from core.config.settings import Secret
from core.domain.records import Agent, Box, SecretRecord, Session, Unattended, now
from core.domain.runs import Run, TriggerKind
from core.gateway.box_limits import CALLS, STARTS
from core.protocol import tokens
from core.vault.local import LocalVault
from tests.canary import KEY
from tests.core.gateway.gateway_harness import ALICE, BOB, Answer, BoxHttp, GatewayHarness
from tests.core.gateway.test_anthropic import served

STOLEN = {"name": "draft_agent", "arguments": {"name": "Stolen"}}
TWICE = {"name": "draft_agent", "arguments": {"name": "Twice"}}
ASK = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "안녕?"}]}


@pytest.fixture
async def box_http(harness: GatewayHarness, process: Process) -> AsyncIterator[BoxHttp]:
    """Alice's box, with her session s1."""
    await harness.add_session(ALICE)
    async with harness.gateway(watch_s=0.05):
        yield await harness.open_box(ALICE, process)


def assert_refused(answer: Answer) -> None:
    """Assert a refusal with 400, because the CLI would repeat a 401 for minutes."""
    assert (answer.status, answer.body["error"]["type"]) == (400, "invalid_request_error")
    assert answer.body["error"]["message"].startswith("bad_token:")


async def token(box_http: BoxHttp) -> str:
    return str((await box_http("POST", "/internal/spec", {"session": "s1"})).body["token"])


async def test_the_spec_is_what_a_cli_starts_with(box_http: BoxHttp) -> None:
    spec = (await box_http("POST", "/internal/spec", {"session": "s1"})).body
    assert spec["provider"] == "practice"
    told = {"id": "s1", "kind": "builder", "locale": "ko", "unattended": False, "folder": ""}
    assert spec["session"] == told | {"branch_of": "", "branch_at": ""}
    assert spec["agent"] == {
        "id": "a1",
        "name": "Old",
        "description": "",
        "model": "",
        "effort": "",
        "permission_mode": "acceptEdits",
        "rules": [],
        "draft": True,
    }


async def test_a_run_starts_with_what_the_agents_policy_allows_and_is_told_whether_it_may_ask(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    session = await harness.store.get(Session, "s1", owner=ALICE)
    await harness.store.put(structs.replace(session, kind="run", run="r1"), owner=ALICE)
    run = Run(id="r1", agent="a1", trigger_kind=TriggerKind.PERSON, trigger=ALICE, at=now(), created_at=now())
    await harness.store.put(run, owner=ALICE)
    for otherwise in ("deny", "ask"):
        policy = Unattended(allow=("Bash(make:*)",), otherwise=otherwise)  # type: ignore[arg-type]
        await harness.store.change(Agent, "a1", owner=ALICE, rules=("Read",), unattended=policy)
        spec = (await box_http("POST", "/internal/spec", {"session": "s1"})).body
        assert spec["agent"]["rules"] == ["Read", "Bash(make:*)"]
        assert spec["session"]["unattended"] is (otherwise == "deny")


@pytest.mark.parametrize("path", ["/internal/spec", "/internal/tool"])
async def test_a_box_asks_store_and_vault_so_often_and_no_more(box_http: BoxHttp, path: str) -> None:
    async with box_http.session() as http:
        for _ in range(2 * STARTS):  # some come back while they are used up
            async with http.post("http://gateway" + path, json={"session": "none"}) as answer:
                if answer.status == 429:
                    assert (await answer.json())["code"] == "too_much"
                    return
    pytest.fail("there was no end to them")


async def test_a_cli_starts_with_the_secrets_of_its_agent_and_that_is_noted(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    vault = LocalVault(harness.settings.data_dir)
    for name in ("GIVEN", "NOT_GIVEN"):
        await vault.put(name, f"alice's {name}", owner=ALICE)
        await harness.store.put(SecretRecord(id=name, updated_at=now()), owner=ALICE)
    await vault.put("GIVEN", "bob's GIVEN", owner=BOB)
    asked = {"session": "s1"}
    assert (await box_http("POST", "/internal/spec", asked)).body["secrets"] == {}
    await harness.store.change(Agent, "a1", owner=ALICE, secrets=("DELETED", "GIVEN"))
    assert (await box_http("POST", "/internal/spec", asked)).body["secrets"] == {"GIVEN": "alice's GIVEN"}
    assert (await harness.store.get(SecretRecord, "GIVEN", owner=ALICE)).used_at
    assert (await harness.store.get(SecretRecord, "NOT_GIVEN", owner=ALICE)).used_at is None
    (harness.settings.data_dir / "vault.key").write_text("")
    refused = await box_http("POST", "/internal/spec", asked)
    assert (refused.status, refused.body["code"]) == (503, "vault_unavailable")


async def test_another_users_session_and_one_that_never_was_look_the_same(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    await harness.add_session(BOB, id="s2", agent="a2")
    theirs = await box_http("POST", "/internal/spec", {"session": "s2", "user": BOB})
    nobodys = await box_http("POST", "/internal/spec", {"session": "s3"})
    assert theirs.status == nobodys.status == 404
    assert theirs.body["code"] == nobodys.body["code"]
    assert theirs.body["detail"].replace("s2", "") == nobodys.body["detail"].replace("s3", "")
    for path, body in (
        ("/internal/tool", {"session": "s2", **STOLEN}),
        ("/internal/tool/check", {"session": "s2", **STOLEN}),
        ("/internal/events", {"session": "s2", "events": []}),
        ("/internal/log", {"session": "s2", "after": 0}),
    ):
        assert (await box_http("POST", path, body)).status == 404
    assert (await harness.store.get(Agent, "a2", owner=BOB)).name == "Old"


@pytest.mark.parametrize(
    "path", ["/internal/spec", "/internal/tool", "/internal/tool/check", "/internal/events", "/internal/log"]
)
async def test_what_is_the_runners_no_other_program_in_its_box_gets(
    harness: GatewayHarness, box_http: BoxHttp, path: str
) -> None:
    asked = {"session": "s1", **STOLEN, "events": [], "after": 0}
    assert (await box_http("POST", path, asked)).status == 200
    assert box_http.box
    model = await token(box_http)
    for said in (
        "",
        model,  # what every program of the agent has
        tokens.sign({}, key="another key", audience=tokens.box_audience(box_http.box.id)),
        tokens.sign({}, key=box_http.box.key, audience=tokens.box_audience("box2")),
        tokens.sign({}, key=box_http.box.key, audience=f"runner:{box_http.box.id}"),
    ):
        refused = await box_http("POST", path, asked | TWICE, headers={"Authorization": f"Bearer {said}"})
        assert (refused.status, refused.body["code"]) == (401, "bad_token"), said
    assert (await harness.store.get(Agent, "a1", owner=ALICE)).name in ("Old", "Stolen")


@pytest.mark.parametrize(
    "path", ["/internal/spec", "/internal/tool", "/internal/tool/check", "/internal/events", "/internal/log"]
)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"session":5}', b"\xff\xfe", b'{"session":"s1"', b"[" * 100_000])
async def test_what_is_no_request_is_refused(box_http: BoxHttp, path: str, body: bytes) -> None:
    answer = await box_http("POST", path, data=body)
    assert answer.status == 400
    assert answer.body["code"] in ("bad_input", "too_large")


async def test_the_builder_changes_the_agents_record(harness: GatewayHarness, box_http: BoxHttp) -> None:
    draft = {"name": "  Rate\n watcher ", "description": "Looks at rates.\u202e", "icon": "globe"}
    answer = await box_http("POST", "/internal/tool", {"session": "s1", "name": "draft_agent", "arguments": draft})
    assert answer.body["text"].startswith("Saved.") and not answer.body["is_error"]
    agent = await harness.store.get(Agent, "a1", owner=ALICE)
    assert (agent.name, agent.description, agent.icon, agent.draft) == (
        "Rate watcher",
        "Looks at rates.⟨U+202E⟩",
        "globe",
        True,
    )


async def test_a_tool_that_a_session_does_not_have_is_not_found(harness: GatewayHarness, box_http: BoxHttp) -> None:
    assert (await box_http("POST", "/internal/tool", {"session": "s1", "name": "rm"})).status == 404
    session = await harness.store.get(Session, "s1", owner=ALICE)
    await harness.store.put(structs.replace(session, kind="chat"), owner=ALICE)
    assert (await box_http("POST", "/internal/tool", {"session": "s1", **STOLEN})).status == 404
    assert "tools" in (await box_http("POST", "/internal/spec", {"session": "s1"})).body
    assert (await box_http("POST", "/internal/spec", {"session": "s1"})).body["tools"] == []


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
async def test_the_token_of_a_session_opens_the_model(box_http: BoxHttp, header: str) -> None:
    given = await token(box_http)
    headers = {header: given if header == "x-api-key" else f"Bearer {given}"}
    answer = await box_http("POST", "/v1/messages", ASK, headers=headers)
    assert answer.status == 200
    assert answer.body["content"][0]["text"].startswith("안녕하세요!")
    counted = await box_http("POST", "/v1/messages/count_tokens", ASK, headers=headers)
    assert counted.body["input_tokens"] > 0


async def test_a_token_of_one_box_is_nothing_in_another(
    harness: GatewayHarness, box_http: BoxHttp, process: Process
) -> None:
    other = await harness.open_box(ALICE, process, id="box2")
    answer = await other("POST", "/v1/messages", ASK, headers={"x-api-key": await token(box_http)})
    assert_refused(answer)


@pytest.mark.parametrize("given", ["", "x", "a.b.c", "Bearer ", "\u00e9"])
async def test_without_a_token_there_is_no_model(box_http: BoxHttp, given: str) -> None:
    assert_refused(await box_http("POST", "/v1/messages", ASK, headers={"x-api-key": given}))


async def test_a_token_for_another_user_or_another_audience_is_refused(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    key = runtime_dir.platform_key(harness.settings)
    claims = {"user": BOB, "agent": "a1", "session": "s1"}
    forged = [
        tokens.sign(claims, key=key, audience="model:box1"),
        tokens.sign({**claims, "user": ALICE}, key=key, audience="runner:box1"),
        tokens.sign({**claims, "user": ALICE}, key="guess", audience="model:box1"),
    ]
    for given in forged:
        assert_refused(await box_http("POST", "/v1/messages", ASK, headers={"x-api-key": given}))


async def test_the_first_secret_signs_and_all_of_them_verify(harness: GatewayHarness, process: Process) -> None:
    new, old = Secret("new-" + "0123456789" * 4), Secret("old-" + "0123456789" * 4)
    await harness.add_session(ALICE)
    rotated = GatewayHarness(replace(harness.settings, session_secret=(new, old)), harness.store)
    async with rotated.gateway(watch_s=0.05):
        box_http = await rotated.open_box(ALICE, process)
        claims = tokens.verify(await token(box_http), key=new, audience="model:box1", max_age_s=60)
        for key in (new, old):
            given = tokens.sign(claims, key=key, audience="model:box1")
            assert (await box_http("POST", "/v1/messages", ASK, headers={"x-api-key": given})).status == 200
        forged = tokens.sign(claims, key="another", audience="model:box1")
        assert_refused(await box_http("POST", "/v1/messages", ASK, headers={"x-api-key": forged}))


async def test_a_box_has_so_many_calls_at_once_and_the_others_have_theirs(
    harness: GatewayHarness, process: Process
) -> None:
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def model(_: web.Request) -> web.Response:
        begun.release()
        await go_on.wait()
        return web.json_response({})

    await harness.add_session(ALICE)
    await harness.add_session(BOB, id="s2", agent="a2")
    async with served(model) as url:
        real = replace(harness.settings, model="anthropic", anthropic_api_key=Secret(KEY), anthropic_base_url=url)
        async with GatewayHarness(real, harness.store).gateway(watch_s=0.05, patience_s=0.1):
            box_http = await harness.open_box(ALICE, process)
            bobs = await harness.open_box(BOB, process, id="box2")
            key = {"x-api-key": await token(box_http)}
            calls = [asyncio.create_task(box_http("POST", "/v1/messages", ASK, headers=key)) for _ in range(CALLS)]
            for _ in calls:
                await asyncio.wait_for(begun.acquire(), 5)
            refused = await box_http("POST", "/v1/messages", ASK, headers=key)
            assert (refused.status, refused.body["error"]["type"]) == (429, "rate_limit_error")
            assert refused.body["error"]["message"].startswith("model_overloaded:")
            others = {"x-api-key": (await bobs("POST", "/internal/spec", {"session": "s2"})).body["token"]}
            theirs = asyncio.create_task(bobs("POST", "/v1/messages", ASK, headers=others))
            await asyncio.wait_for(begun.acquire(), 5)
            go_on.set()
            assert {answer.status for answer in await asyncio.gather(theirs, *calls)} == {200}
            assert (await box_http("POST", "/v1/messages", ASK, headers=key)).status == 200


async def test_a_token_ends_with_its_session(harness: GatewayHarness, box_http: BoxHttp) -> None:
    given = await token(box_http)
    await harness.store.delete(Session, "s1", owner=ALICE)
    answer = await box_http("POST", "/v1/messages", ASK, headers={"x-api-key": given})
    assert (answer.status, answer.body["error"]["type"]) == (404, "not_found_error")


async def test_the_box_socket_is_for_its_owner_alone(harness: GatewayHarness, box_http: BoxHttp) -> None:
    assert await asyncio.to_thread(lambda: box_http.socket.stat().st_mode & 0o777) == 0o600


async def test_two_boxes_at_once_are_never_taken_for_each_other(
    harness: GatewayHarness, box_http: BoxHttp, process: Process
) -> None:
    await harness.add_session(BOB, id="s2", agent="a2")
    bobs: Box = await harness.box(BOB, process, id="box2")
    await harness.control("PUT", "/boxes/box2", {"user": BOB, "key": bobs.key, **bobs.spawner_state})
    mine, theirs = box_http, harness.box_http(bobs)
    answers = await asyncio.gather(
        *(
            who("POST", "/internal/spec", {"session": s})
            for _ in range(20)
            for who, s in ((mine, "s1"), (theirs, "s2"), (mine, "s2"), (theirs, "s1"))
        )
    )
    assert [answer.status for answer in answers] == [200, 200, 404, 404] * 20
