"""The HTTP API for boxes: specs, platform tools, events of the log, and model calls."""

import asyncio
import contextlib
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from core.config.settings import Secret, Settings, secrets_of
from core.domain.errors import BadInput, NotFound
from core.domain.events import encode
from core.domain.records import Agent, SecretRecord, Session, UserId, now
from core.gateway.batch import ReadBatch, is_light, read_batch
from core.gateway.http_errors import errors, read_body
from core.gateway.identity import Caller, Callers, verified_claims, verify_runner
from core.gateway.ingest import Ingest
from core.gateway.metering.meter import Meter
from core.gateway.providers import Call, Provider
from core.gateway.run_version import as_published, version_of_run, version_spec
from core.gateway.turn_spans import current_turn
from core.lib.aiohttp_disconnects import ignore_disconnects
from core.observability import metrics
from core.observability.redaction import Redactor
from core.observability.tracing import Trace, span
from core.protocol import gateway_api as api
from core.protocol import tokens
from core.protocol.gateway_api import BATCH_BYTES, Gap, LogBehind
from core.store import Store
from core.tools import registry
from core.tools.builder_prompt import instructions
from core.tools.tool import ToolContext
from core.vault import Vault

MODEL_BYTES = 32 * 1024 * 1024  # as much as the Messages API takes
SMALL_BYTES = 64 * 1024
RUN = "run"  # the kind of a session that nobody looks at
PAGE_EVENTS = 50  # of a log that is asked for: an event may have some megabytes

T = TypeVar("T")


class BoxApi:
    """The routes for boxes. The connection tells which box calls; the Store tells what it may see.

    What a box's programs may ask carries the token of a session; all else is its runner's, which signs each call.
    """

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        callers: Callers,
        provider: Provider,
        settings: Settings,
        keys: tuple[Secret, ...],
        meter: Meter,
        shared: bool = False,
    ) -> None:
        self._store, self._vault, self._callers, self._provider = store, vault, callers, provider
        self._meter = meter
        self._provider_name, self._keys = settings.provider, keys  # the first signs, all verify
        self._ingest, self._redactor = Ingest(store, shared=shared), Redactor((*secrets_of(settings), *keys))
        self._heavy = asyncio.Semaphore(1)  # two threads that decode would starve this one

    def use(self, settings: Settings) -> None:
        """Tell boxes of this provider, and mask its credential in what they send."""
        self._provider_name = settings.provider
        self._redactor = Redactor((*secrets_of(settings), *self._keys))

    def app(self) -> web.Application:
        app = web.Application(middlewares=[ignore_disconnects, errors])
        app.add_routes(
            [
                web.post(api.SPEC, self.spec),
                web.post(api.TOOL, self.tool),
                web.post(api.TOOL_CHECK, self.tool_check),
                web.post(api.EVENTS, self.events),
                web.post(api.LOG, self.log),
                web.post(api.MODEL, self.model),
                web.post(api.COUNT_TOKENS, self.model),
                web.get(api.HEALTH, self.health),
                web.get("/api/hello", self.health),  # the CLI's own look whether anybody is there (a HEAD)
            ]
        )
        return app

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def spec(self, request: web.Request) -> web.Response:
        caller = self._runner(request)
        caller.limits.count_start()
        asked = await _read(request, api.SpecRequest)
        session, agent = await self._mine(asked.session, caller)
        version = await version_of_run(self._store, session, owner=caller.user)
        claims = {"user": caller.user, "agent": agent.id, "session": session.id}
        spec = api.Spec(
            token=tokens.sign(claims, key=self._keys[0], audience=caller.audience),
            provider=self._provider_name,
            agent=_agent_spec(session, as_published(agent, version)),
            session=_session_spec(session, agent),
            secrets={} if session.kind == api.JUDGE else await self._secrets(agent, caller.user),
            tools=registry.tools_of(session),
            version=version_spec(version),
            instructions=instructions(session),
        )
        return _json(spec)

    async def _secrets(self, agent: Agent, user: UserId) -> dict[str, str]:
        """Return the agent's secrets and note their use. Raises: VaultUnavailable: the CLI does not start then."""
        if not agent.secrets:
            return {}
        found = await self._vault.get(agent.secrets, owner=user)
        for name in found:
            with contextlib.suppress(NotFound):  # deleted at this moment
                await self._store.change(SecretRecord, name, owner=user, used_at=now())
        return {name: str(value) for name, value in found.items()}

    async def tool(self, request: web.Request) -> web.Response:
        """Carry out a call of a platform tool."""
        context, call = await self._tool_call(request)
        return _json(await registry.carry_out(context, call.name, call.arguments))

    async def tool_check(self, request: web.Request) -> web.Response:
        """Say whether a person has to decide about a call of a platform tool."""
        context, call = await self._tool_call(request)
        return _json(await registry.check(context, call.name, call.arguments))

    async def _tool_call(self, request: web.Request) -> tuple[ToolContext, api.ToolCall]:
        caller = self._runner(request)
        caller.limits.count_start()
        call = await _read(request, api.ToolCall)
        session, agent = await self._mine(call.session, caller)
        context = ToolContext(
            store=self._store, vault=self._vault, user=caller.user, session=session, agent=agent, call=call.call
        )
        return context, call

    async def events(self, request: web.Request) -> web.Response:
        caller = self._runner(request)
        async with caller.limits.batch_slot():
            batch = await self._batch(await read_body(request, limit_bytes=BATCH_BYTES))
            try:
                kept = await self._ingest.store(batch, owner=caller.user)
            except (Gap, LogBehind) as error:
                refusal = api.IngestRefusal(code=error.code, acked=error.acked, detail=str(error))
                return _json(refusal, status=error.status)
        return _json(kept)

    async def log(self, request: web.Request) -> web.Response:
        """Return a page of stored events of the caller's session, for a log that fell behind."""
        caller = self._runner(request)
        asked = await _read(request, api.LogRequest)
        async with caller.limits.batch_slot():
            await self._mine(asked.session, caller)
            found = await self._store.events(asked.session, owner=caller.user, after=asked.after, limit=PAGE_EVENTS)
            lines = [msgspec.Raw(encode(event)) for event in found]
            while len(lines) > 1 and sum(len(bytes(line)) for line in lines) > BATCH_BYTES:
                del lines[len(lines) // 2 :]
        return _json(api.LogPage(events=lines))

    async def _batch(self, body: bytes) -> ReadBatch:
        if is_light(body):
            return self._read_batch(body)
        async with self._heavy:
            return await asyncio.to_thread(self._read_batch, body)

    def _read_batch(self, body: bytes) -> ReadBatch:
        """Read the batch with the platform's own secrets masked; no box should ever have one."""
        return read_batch(self._redactor.mask_bytes(body))

    async def model(self, request: web.Request) -> web.StreamResponse:
        caller = self._callers.caller(request)
        claims = self._claims(request, caller)
        session = await self._store.get(Session, str(claims.get("session")), owner=caller.user)
        async with caller.limits.model_call_slot(request.content_length):
            call = Call(
                user=caller.user,
                agent=session.agent,
                session=session.id,
                path=request.path,
                query=request.query_string,
                headers=request.headers,
                body=await read_body(request, limit_bytes=MODEL_BYTES),
            )
            return await self._answer(call, request, current_turn(session))

    async def _answer(self, call: Call, request: web.Request, turn: Trace | None) -> web.StreamResponse:
        with metrics.model_call_seconds.time(), span("model call", kind="client", parent=turn) as one:
            answer = await self._metered(call, request)
            one.attributes |= {"oma.session": call.session, "http.response.status_code": answer.status}
            one.failed = answer.status >= 400
        metrics.model_calls.labels(str(answer.status)).inc()
        return answer

    async def _metered(self, call: Call, request: web.Request) -> web.StreamResponse:
        """Answer a call and meter it. Raises: BadInput (`spend_limit`): it would pass a spending limit."""
        if call.path == api.COUNT_TOKENS:
            return await self._provider.answer(call, request)  # it is free
        metered = await self._meter.admit(call)
        try:
            return await self._provider.answer(call, request, metered)
        finally:
            await metered.end()

    def _claims(self, request: web.Request, caller: Caller) -> dict[str, Any]:
        return verified_claims(request.headers.get("x-api-key") or _bearer(request), caller=caller, keys=self._keys)

    def _runner(self, request: web.Request) -> Caller:
        """Return the caller if it is the box's runner. Raises: NotSignedIn: it is another program in the box."""
        caller = self._callers.caller(request)
        verify_runner(_bearer(request), caller=caller)
        return caller

    async def _mine(self, session_id: str, caller: Caller) -> tuple[Session, Agent]:
        """Return the caller's session and its agent. Raises: NotFound: it is none, or another user's."""
        session = await self._store.get(Session, session_id, owner=caller.user)
        return session, await self._store.get(Agent, session.agent, owner=caller.user)


def _bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


async def _read(request: web.Request, kind: type[T]) -> T:
    body = await read_body(request, limit_bytes=SMALL_BYTES)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"not what this call takes: {error}") from error


def _json(body: msgspec.Struct, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def _agent_spec(session: Session, agent: Agent) -> api.AgentSpec:
    """Return the agent for its CLI, with what a person chose for this session. In a run, what the policy for
    unattended work allows counts as "always allow".
    """
    spec = msgspec.structs.replace(
        msgspec.convert(agent, api.AgentSpec, from_attributes=True),
        model=session.chosen_model or agent.model,
        effort=session.chosen_effort or agent.effort,
        permission_mode=session.chosen_mode or agent.permission_mode,
    )
    if session.kind != RUN:
        return spec
    return msgspec.structs.replace(spec, rules=tuple(dict.fromkeys((*agent.rules, *agent.unattended.allow))))


def _session_spec(session: Session, agent: Agent) -> api.SessionSpec:
    denies = session.kind == RUN and (agent.unattended.otherwise == "deny" or bool(session.folder))
    return api.SessionSpec(
        id=session.id,
        kind=session.kind,
        locale=session.locale,
        unattended=denies,
        folder=session.folder,
        branch_of=session.branch_of,
        branch_at=session.branch_at,
    )
