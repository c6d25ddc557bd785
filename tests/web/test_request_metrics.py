"""Requests are counted by route and begin a trace, whoever asks for what."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.routing import Route

from core.observability import metrics
from core.observability.tracing import Span, current, sink
from web.request_metrics import RequestMetrics


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Our routes, a mounted application as NiceGUI's, and a plain route as those of sign-in."""
    app, pages = FastAPI(), FastAPI()

    @app.get("/api/v1/agents/{agent}")
    async def agent(agent: str) -> dict[str, str]:
        return {"trace": ((here := current.get()) and here.trace_id) or ""}

    @app.get("/breaks")
    async def breaks() -> None:
        raise ZeroDivisionError

    @pages.get("/workspace/{session}")
    async def page(session: str) -> str:
        return session

    async def sign_in(_: object) -> Response:
        return Response(status_code=303)

    app.router.routes.append(Route("/login", sign_in))
    app.mount("/", pages)
    app.add_middleware(RequestMetrics)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://oma.test") as http:
        yield http


def counted(route: str, status: str, method: str = "GET") -> float:
    return metrics.requests.labels(route, method, status)._value.get()


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/api/v1/agents/secret-1", "/api/v1/agents/{agent}", "200"),
        ("/workspace/secret-2", "/workspace/{session}", "200"),
        ("/login", "/login", "303"),
        ("/_nicegui/3.18/secret-3.js", "/_nicegui/", "404"),
        ("/secret-4", "(other)", "404"),
        ("/breaks", "/breaks", "500"),
    ],
)
async def test_a_request_is_counted_by_its_route_and_never_by_its_path(
    client: httpx.AsyncClient, path: str, route: str, status: str
) -> None:
    before = counted(route, status)
    await client.get(path)
    assert counted(route, status) == before + 1
    assert "secret" not in str(list(metrics.requests.collect()))


async def test_a_method_that_somebody_made_up_is_no_label(client: httpx.AsyncClient) -> None:
    await client.request("BREW", "/login")
    assert "BREW" not in str(list(metrics.requests.collect()))


async def test_a_request_begins_a_trace_of_ours_whatever_it_claims(client: httpx.AsyncClient) -> None:
    spans: list[Span] = []
    before = sink.set(spans.append)
    theirs = "a" * 32
    answer = await client.get("/api/v1/agents/a1", headers={"traceparent": f"00-{theirs}-{'b' * 16}-01"})
    await client.get("/_nicegui/3.18/x.js")
    await client.get("/breaks")
    sink.reset(before)
    assert [(span.name, span.kind, span.parent, span.failed) for span in spans] == [
        ("GET /api/v1/agents/{agent}", "server", None, False),
        ("GET /breaks", "server", None, True),
    ]
    assert answer.json()["trace"] == spans[0].at.trace_id != theirs
