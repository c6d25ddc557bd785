"""The JSON API and the health checks: the same use cases as the pages, without a screen."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from core.domain.errors import BadInput, PlatformError
from core.domain.events import AnyEvent
from core.domain.records import UserId
from core.fleet.gateway_link import GatewayLink
from core.services.connections import ConnectionHistory
from core.store import Store
from ui.layout.services import Services

log = logging.getLogger("oma.api")

PULSE_S = 1.0
EVENTS = 1000  # most in one answer; `last_seq` is the next `after`
OUTBOUND = 200  # newest connections in one answer


def install(app: FastAPI, *, desk: Services, store: Store, gate: GatewayLink, draining: Callable[[], bool]) -> None:
    """Routes of ARCHITECTURE.md §6.3 that exist so far."""
    pulse = Pulse(store)

    @app.exception_handler(PlatformError)
    async def refused(request: Request, error: PlatformError) -> Response:
        return problem(error)

    @app.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> Response:
        if draining():
            return JSONResponse({"status": "draining"}, status_code=503)
        try:
            await pulse()
        except PlatformError as error:
            return problem(error)
        return JSONResponse({"status": "ok" if gate.up else "no gateway"}, status_code=200 if gate.up else 503)

    _agents(app, desk)
    _sessions(app, desk, store)
    _outbound(app, desk, ConnectionHistory(store))


class Pulse:
    """Whether the store answers, asked at most once in PULSE_S: strangers may ask, and each time costs a write."""

    def __init__(self, store: Store) -> None:
        self._store, self._fresh_until = store, 0.0
        self._asking = asyncio.Lock()
        self._error: PlatformError | None = None

    async def __call__(self) -> None:
        """Raises: StoreUnavailable."""
        async with self._asking:
            if time.monotonic() > self._fresh_until:
                try:
                    await self._store.ping()
                    self._error = None
                except PlatformError as error:
                    self._error = error
                self._fresh_until = time.monotonic() + PULSE_S
        if self._error:
            raise self._error


def _agents(app: FastAPI, desk: Services) -> None:
    @app.get("/api/v1/agents")
    async def agents(request: Request) -> Response:
        cards = await desk.agents.cards(user=UserId(desk.auth.user_of(request).id))
        return as_json({"agents": [card.agent for card in cards]})

    @app.post("/api/v1/agents")
    async def create(request: Request) -> Response:
        user = desk.auth.user_of(request)
        agent, session = await desk.agents.create(user=UserId(user.id), locale=user.locale or "ko")
        return as_json({"agent": agent, "session": session}, status=201)

    @app.post("/api/v1/agents/{agent}/sessions")
    async def open_session(agent: str, request: Request) -> Response:
        user = desk.auth.user_of(request)
        session = await desk.agents.new_session(agent, user=UserId(user.id), locale=user.locale or "ko")
        return as_json(session, status=201)


def _sessions(app: FastAPI, desk: Services, store: Store) -> None:
    @app.get("/api/v1/sessions/{session}/events")
    async def events(session: str, request: Request) -> Response:
        user = UserId(desk.auth.user_of(request).id)
        after = number(request.query_params.get("after", "0"))
        await desk.agents.session(session, user=user)
        found: list[AnyEvent] = await store.events(session, owner=user, after=after, limit=EVENTS)
        return as_json({"events": found, "last_seq": found[-1].seq if found else after})

    @app.post("/api/v1/sessions/{session}/messages")
    async def say(session: str, request: Request) -> Response:
        user = UserId(desk.auth.user_of(request).id)
        body = await json_body(request)
        seq = await desk.conversations.say(
            session, user=user, text=str(body.get("text", "")), message_id=str(body.get("message_id", "")), via="api"
        )
        return as_json({"seq": seq}, status=202)


def _outbound(app: FastAPI, desk: Services, log: ConnectionHistory) -> None:
    @app.get("/api/v1/agents/{agent}/outbound")
    async def outbound(agent: str, request: Request) -> Response:
        user = UserId(desk.auth.user_of(request).id)
        return as_json({"outbound": await log.of_agent(agent, user=user, limit=OUTBOUND)})


def number(text: str) -> int:
    """Raises: BadInput."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise BadInput("`after` is a whole number")
    return int(text)


async def json_body(request: Request) -> dict[str, Any]:
    """Raises: BadInput: no JSON object."""
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("the body is no JSON") from error
    if not isinstance(body, dict):
        raise BadInput("the body is no JSON object")
    return body


def as_json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def problem(error: PlatformError) -> Response:
    """application/problem+json (RFC 9457) with our code."""
    body = {"type": "about:blank", "title": error.code, "status": error.status, "code": error.code}
    return Response(msgspec.json.encode(body), status_code=error.status, media_type="application/problem+json")
