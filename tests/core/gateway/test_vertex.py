"""Claude on Vertex: Google's dialect outside, the Messages API inside, and a token that only the gateway has."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured
from core.domain.records import UserId
from core.gateway.http_errors import errors
from core.gateway.providers import Call
from core.gateway.providers.passthrough import PassthroughProvider
from core.gateway.providers.vertex import Vertex, base_url_of, vertex_model
from core.gateway.providers.vertex_token import WorkloadToken
from core.operations import doctor
from tests.metadata_server import CANARY, MetadataServer
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S
from tests.vertex_server import VertexServer, google_says

ASK = {"model": "claude-opus-4-5-20251101", "max_tokens": 9, "messages": [{"role": "user", "content": "SAY(((안녕)))"}]}
MODELS = "/v1/projects/a-project/locations/asia-northeast3/publishers/anthropic/models"
KNOWN = frozenset({"interleaved-thinking-2025-05-14"})


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer() as model:
        yield model


@pytest.fixture
async def identity(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MetadataServer]:
    async with MetadataServer() as identity:
        identity.be_ours(monkeypatch)
        yield identity


@pytest.fixture
async def vertex(model: ModelServer, identity: MetadataServer) -> AsyncIterator[VertexServer]:
    async with VertexServer(model, identity, knows=KNOWN) as vertex:
        yield vertex


@asynccontextmanager
async def served(base_url: str) -> AsyncIterator[str]:
    """Start a server in front of the provider that answers with the gateway's errors; return its URL."""
    token = await asyncio.to_thread(WorkloadToken)
    provider = PassthroughProvider(
        Vertex(token=token, project="a-project", region="asia-northeast3", base_url=base_url)
    )

    async def answer(request: web.Request) -> web.StreamResponse:
        body, headers = await request.read(), request.headers
        call = Call(
            user=UserId("u"), agent="a", session="s", path=request.path, query="beta=true", headers=headers, body=body
        )
        return await provider.answer(call, request)

    app = web.Application(middlewares=[errors])
    app.router.add_post("/{rest:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await provider.close()


@pytest.fixture
async def gateway_url(vertex: VertexServer) -> AsyncIterator[str]:
    async with served(vertex.url) as url:
        yield url


async def ask(url: str, body: object = ASK, path: str = "/v1/messages", **headers: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as http,
        http.post(url + path, data=msgspec.json.encode(body), headers=headers) as answer,
    ):
        assert CANARY not in f"{answer.headers}"
        text = await answer.text()
        assert CANARY not in text
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


async def test_a_message_is_put_into_googles_words_and_the_answer_is_the_models(
    gateway_url: str, vertex: VertexServer, identity: MetadataServer
) -> None:
    headers = {
        "x-api-key": "box token",
        "anthropic-beta": "interleaved-thinking-2025-05-14",
        "anthropic-version": "2023-06-01",
    }
    status, said = await ask(gateway_url, **headers)
    assert (status, said["content"][0]["text"]) == (200, "안녕")
    [asked] = vertex.asked
    assert (asked.path, asked.query) == (f"{MODELS}/claude-opus-4-5@20251101:rawPredict", "")
    assert asked.body == {"anthropic_version": "vertex-2023-10-16", **{k: v for k, v in ASK.items() if k != "model"}}
    assert asked.headers["authorization"] == f"Bearer {identity.token}"
    assert asked.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"
    assert "box token" not in str(asked.headers)


async def test_a_stream_goes_through_byte_for_byte_as_the_model_made_it(identity: MetadataServer) -> None:
    pieces = ['event: a\ndata: {"x": "가"}\n\n'.encode(), b": ping\n\n", b"event: vertex_event\ndata: {}\n\n"]
    go_on, seen = asyncio.Event(), []

    async def streaming(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(pieces[0])
        await go_on.wait()
        for piece in pieces[1:]:
            await response.write(piece)
        return response

    app = web.Application()
    app.router.add_post("/{rest:.*}", streaming)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with served(f"http://127.0.0.1:{runner.addresses[0][1]}/v1") as url, aiohttp.ClientSession() as http:
        async with http.post(f"{url}/v1/messages", json={**ASK, "stream": True}) as answer:
            assert await answer.content.readany() == pieces[0]
            go_on.set()
            assert await answer.content.read() == b"".join(pieces[1:])
    assert seen == [f"{MODELS}/claude-opus-4-5@20251101:streamRawPredict"]
    await runner.cleanup()


async def test_tokens_are_counted_at_their_own_address_without_betas(gateway_url: str, vertex: VertexServer) -> None:
    status, said = await ask(
        gateway_url, path="/v1/messages/count_tokens", **{"anthropic-beta": "interleaved-thinking-2025-05-14"}
    )
    assert status == 200 and said["input_tokens"] > 0
    [asked] = vertex.asked
    assert asked.path == f"{MODELS}/count-tokens:rawPredict"
    assert asked.body["model"] == "claude-opus-4-5@20251101"


async def test_a_beta_that_vertex_does_not_know_is_left_out_from_then_on(
    gateway_url: str, vertex: VertexServer
) -> None:
    betas = "claude-code-20250219,interleaved-thinking-2025-05-14,context-1m-2025-08-07"
    for _ in range(2):
        assert (await ask(gateway_url, **{"anthropic-beta": betas}))[0] == 200
    said = [asked.headers["anthropic-beta"] for asked in vertex.asked]
    assert said == [betas, *["interleaved-thinking-2025-05-14"] * 2]


async def test_one_token_serves_many_calls_and_one_that_has_ended_is_replaced(
    vertex: VertexServer, identity: MetadataServer
) -> None:
    identity.ends_in_s = 60  # less than is left to a token that is still used
    async with served(vertex.url) as url:
        assert (await ask(url))[0] == 200
        identity.next_token()
        identity.ends_in_s = 3600
        assert [status for status, _ in await asyncio.gather(*(ask(url) for _ in range(5)))] == [200] * 5
        assert (await ask(url))[0] == 200
    assert identity.asked == 2
    assert not [asked for asked in vertex.asked[1:] if asked.headers["authorization"] != f"Bearer {identity.token}"]


@pytest.mark.usefixtures("soon")
async def test_a_token_with_minutes_left_is_used_while_google_gives_no_other(
    vertex: VertexServer, identity: MetadataServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    identity.ends_in_s = 200
    async with served(vertex.url) as url:
        assert (await ask(url))[0] == 200
        monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", "127.0.0.1:9")
        monkeypatch.setattr("core.gateway.providers.vertex_token.FETCH_S", 0.3)
        assert (await ask(url))[0] == 200
    assert "no access token" in caplog.text
    caplog.clear()


async def test_a_token_that_is_refused_is_renewed_once_for_all_who_were_refused(
    gateway_url: str, vertex: VertexServer, identity: MetadataServer
) -> None:
    assert (await ask(gateway_url))[0] == 200
    identity.next_token()
    assert [status for status, _ in await asyncio.gather(*(ask(gateway_url) for _ in range(5)))] == [200] * 5
    assert identity.asked == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_refused_all_the_same_is_told_at_once_what_to_check(
    gateway_url: str, vertex: VertexServer, identity: MetadataServer, status: int
) -> None:
    vertex.refuse = [status] * 9
    got, said = await ask(gateway_url)
    assert (got, said["error"]["type"]) == (400, "invalid_request_error")
    assert said["error"]["message"].startswith("model_key_refused:")
    assert "k8s/setup.sh identities" in said["error"]["message"]
    assert len(vertex.asked) == 1  # Google gave the same token again


@pytest.mark.parametrize(
    ("status", "seen", "type"),
    [(400, 400, "invalid_request_error"), (404, 404, "not_found_error"), (429, 429, "rate_limit_error"),
     (500, 500, "api_error"), (503, 529, "overloaded_error"), (529, 529, "overloaded_error")],
)  # fmt: skip
async def test_googles_refusals_are_said_in_the_words_of_the_api_and_without_the_token(
    gateway_url: str, vertex: VertexServer, status: int, seen: int, type: str
) -> None:
    vertex.refuse = [status]
    got, said = await ask(gateway_url)
    assert (got, said["type"], said["error"]["type"]) == (seen, "error", type)
    assert said["error"]["message"] == "scripted; you said Bearer ***"


@pytest.mark.parametrize(
    "model",
    ["", "gpt-4", "claude-x/../../../google/models/gemini", "claude-x:predict", "claude-x?y", "count-tokens",
     "claude-X", "claude-..", None, 7],
)  # fmt: skip
async def test_no_other_address_is_reached_by_the_name_of_a_model(
    gateway_url: str, vertex: VertexServer, model: object
) -> None:
    status, said = await ask(gateway_url, {**ASK, "model": model})
    assert (status, said["error"]["type"]) == (400, "invalid_request_error")
    assert vertex.asked == []


@pytest.mark.usefixtures("soon")
async def test_what_is_no_request_is_refused_and_without_a_token_the_model_is_away(
    gateway_url: str,
    identity: MetadataServer,
    vertex: VertexServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert (await ask(gateway_url, [1]))[0] == 400
    monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", "127.0.0.1:9")
    monkeypatch.setattr("core.gateway.providers.vertex_token.FETCH_S", 0.3)
    status, said = await ask(gateway_url)
    assert status == 503 and said["error"]["message"].startswith("model_overloaded:")
    assert "no access token" in caplog.text
    caplog.clear()


@pytest.mark.parametrize(
    ("name", "there"),
    [("claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"), ("claude-opus-4-6", "claude-opus-4-6"),
     ("claude-3-5-haiku@20241022", "claude-3-5-haiku@20241022"),
     ("claude-opus-4-6@default", "claude-opus-4-6@default")],
)  # fmt: skip
def test_dates_of_models_are_set_off(name: str, there: str) -> None:
    assert vertex_model({"model": msgspec.Raw(msgspec.json.encode(name))}) == there


def test_a_call_without_a_model_is_none() -> None:
    with pytest.raises(BadInput):
        vertex_model({})


@pytest.mark.parametrize(
    ("region", "url"),
    [("asia-northeast3", "https://asia-northeast3-aiplatform.googleapis.com/v1"),
     ("global", "https://aiplatform.googleapis.com/v1"), ("eu", "https://aiplatform.eu.rep.googleapis.com/v1")],
)  # fmt: skip
def test_each_region_has_its_address(region: str, url: str) -> None:
    assert base_url_of(region) == url


async def test_a_key_file_is_no_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    content = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    (tmp_path / "adc.json").write_text(json.dumps(content))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    with pytest.raises(Misconfigured, match="only Workload Identity"):
        await asyncio.to_thread(WorkloadToken)


async def test_the_doctor_tries_it(vertex: VertexServer, identity: MetadataServer) -> None:
    settings = replace(
        Settings(model="vertex"),
        vertex_project="a-project",
        vertex_region="asia-northeast3",
        vertex_base_url=vertex.url,
    )
    finding = await doctor.model("model", settings)
    assert finding.ok and vertex.url in finding.found
    vertex.refuse = [403]
    finding = await doctor.model("model", settings)
    assert not finding.ok and "k8s/setup.sh identities" in finding.mend


def test_a_fake_google_answers_as_google_does() -> None:
    assert json.loads(str(google_says(429, "x").text))[0]["error"]["code"] == 429
