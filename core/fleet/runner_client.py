"""The web's client of a runner (core.protocol.runner_api): one connection pool to one runner of one user."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import MappingProxyType
from typing import TypeVar

import aiohttp
import msgspec

from core.domain.errors import (
    BadInput,
    Conflict,
    FileTooLarge,
    Forbidden,
    NoSpace,
    NotFound,
    PlatformError,
    RangeOutside,
    RunnerUnavailable,
    TooMuch,
)
from core.domain.records import Box, Session
from core.observability import tracing
from core.protocol import runner_api as api
from core.protocol import tokens
from core.spawner import Poll, RunnerEndpoint, Spawner

READY_S = 20.0  # from the start of the box to an answer, for a cold interpreter on a busy laptop
NAME_S = 35.0  # added where the runner has a host name: resolvers remember its former address for 30 s
RETRY_S = 0.1
STATUS_S = 2.0  # the longest a status call may take
CALL_S = 15.0  # the longest any single call may take; a CLI start is not waited for by any of them
HEARTBEAT_S = 20.0  # shorter than the idle limits of common proxies
FRAME_BYTES = 64 * 1024 * 1024  # a replay is one frame; the runner cuts each tool result to 64 KiB

# Spans are named after the kind of call, without ids.
ID, ONE = re.compile(r"/(sessions|requests|agents)/[^/?]+"), r"/\1/{id}"
_ERRORS: dict[int, type[PlatformError]] = {
    400: BadInput,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: FileTooLarge,
    416: RangeOutside,
    429: TooMuch,
    507: NoSpace,
}
REFUSAL_BYTES = 16_384
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T", bound=msgspec.Struct)


class WrongProtocol(RunnerUnavailable):
    """The runner speaks another version of core.protocol.runner_api: it has to be started anew."""


class Done(msgspec.Struct, frozen=True):
    """An answer without content: the call was carried out."""


def opening(session: Session) -> api.OpenSession:
    """Return the body of the first call about a session."""
    return api.OpenSession(agent=session.agent, kind=session.kind, locale=session.locale, title=session.title)


class RunnerClient:
    """Calls and sockets to one runner. Every request carries a fresh token for this runner and this user."""

    def __init__(self, box: Box, endpoint: RunnerEndpoint) -> None:
        self.box = box
        self._url, self._boot_key, self._named = endpoint.url, endpoint.boot_key or box.key, endpoint.named
        self._boot = tokens.boot_audience(endpoint.pod)
        connector = aiohttp.UnixConnector(endpoint.unix) if endpoint.unix else aiohttp.TCPConnector()
        self._http = aiohttp.ClientSession(connector=connector)

    @property
    def closed(self) -> bool:
        return self._http.closed

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._http.close()

    # --- the runner --------------------------------------------------------------------------------------------------

    async def init(self, whose: api.Init, *, spawner: Spawner) -> api.Bound:
        """Bind the runner to its user as soon as it answers.

        Raises: WrongProtocol: it is of a version that this web cannot work with, and has been told to stop in good
        order. RunnerUnavailable: it did not get ready. In both cases this client is closed.
        """
        try:
            async with asyncio.timeout(READY_S + NAME_S * self._named):
                while True:
                    try:
                        return await self._bind(whose)
                    except PlatformError as error:
                        if not (self._named or isinstance(error, RunnerUnavailable)):
                            raise  # a name may still lead to another runner, which refuses
                        if isinstance(error, WrongProtocol) or await spawner.poll(self.box) is Poll.GONE:
                            raise
                        await asyncio.sleep(RETRY_S)
        except WrongProtocol:
            with suppress(PlatformError):
                await self.stop()
            await self.close()
            raise
        except (TimeoutError, PlatformError) as error:
            await self.close()
            raise RunnerUnavailable(f"the runner of {self.box.user} did not get ready: {error}") from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _bind(self, whose: api.Init) -> api.Bound:
        health = await self._call("GET", api.HEALTH, answer=api.Health)
        if health.protocol != api.PROTOCOL:
            if health.bound:
                await self.status()  # raises if the name leads to another user's runner
            raise WrongProtocol(f"runner {self.box.id} speaks version {health.protocol}, this web {api.PROTOCOL}")
        boot = not health.bound
        return await self._call("POST", api.INIT, whose, answer=api.Bound, timeout_s=READY_S, boot=boot)

    async def status(self) -> api.Status:
        return await self._call("GET", api.STATUS, answer=api.Status, timeout_s=STATUS_S)

    async def has_open_turn(self) -> bool:
        """True if a turn is open, or if the runner does not answer."""
        try:
            return (await self.status()).open_turns > 0
        except PlatformError:
            return True

    async def stop(self, *, timeout_s: float = CALL_S) -> None:
        """End all sessions in good order, then the runner."""
        await self._call("POST", api.STOP, timeout_s=timeout_s)

    async def stop_if_idle(self, idle_s: float) -> None:
        """End the runner if it is idle. Raises: Conflict: something runs, or did within the last `idle_s` seconds."""
        await self._call("POST", api.STOP, api.Stop(idle_s=idle_s))

    async def report_disk_full(self, *, timeout_s: float) -> None:
        """Tell the runner that the disk quota is used up: it ends all work, with a notice in each conversation."""
        await self._call("POST", api.DISK_FULL, timeout_s=timeout_s)

    def hold(self) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        """Open the socket that keeps the runner alive; its frames are SessionChange. Raises: RunnerUnavailable."""
        return self.socket(api.HOLD)

    def export(self) -> AbstractAsyncContextManager[aiohttp.StreamReader]:
        """Open the stream of the user's agents' folders (core.runner.export). Raises: RunnerUnavailable."""
        return self._stream(api.EXPORT)

    # --- agents ------------------------------------------------------------------------------------------------------

    async def end_clis(self, agent: str) -> None:
        """End the agent's CLIs now, and the turns in them; the next ones know the agent's new rules."""
        await self._call("POST", api.path(api.END_CLIS, agent=agent))

    async def renew_clis(self, agent: str) -> None:
        """Let the agent's next turns begin in new CLIs, which know its new settings."""
        await self._call("POST", api.path(api.RENEW_CLIS, agent=agent))

    async def delete_agent(self, agent: str) -> None:
        """Remove the agent's folder and its sessions' logs."""
        await self._call("DELETE", api.path(api.AGENT, agent=agent))

    # --- sessions ----------------------------------------------------------------------------------------------------

    async def open(self, session: str, body: api.OpenSession) -> None:
        """Make the session known to the runner. Idempotent; comes before all other calls about it."""
        await self._call("PUT", api.path(api.SESSION, session=session), body)

    async def delete(self, session: str) -> None:
        """End the session and remove its log."""
        await self._call("DELETE", api.path(api.SESSION, session=session))

    async def warm(self, session: str) -> None:
        """Start the session's CLI in advance, because the user is about to send a message."""
        await self._call("POST", api.path(api.WARM, session=session))

    async def say(self, session: str, message: api.SendMessage) -> int:
        """Send a message and return its number in the log; from then on it is not lost (G1). Idempotent by
        `message_id`.
        """
        answer = await self._call("POST", api.path(api.MESSAGES, session=session), message, answer=api.Recorded)
        return answer.seq

    async def change_queue(self, session: str, change: api.ChangeQueue) -> None:
        """Change a message that waits. Raises: Conflict: it does not wait any more, or was edited meanwhile."""
        await self._call("POST", api.path(api.QUEUE, session=session), change)

    async def refresh_settings(self, session: str) -> None:
        """Let the session's CLI go on by what a person has just chosen for the session."""
        await self._call("POST", api.path(api.SETTINGS, session=session))

    async def cli_info(self, session: str) -> api.CliInfo:
        """Return the commands and models of the session's CLI."""
        return await self._call("GET", api.path(api.CLI, session=session), answer=api.CliInfo)

    async def interrupt(self, session: str) -> None:
        """Stop the open turn and all it started (G6)."""
        await self._call("POST", api.path(api.INTERRUPT, session=session))

    async def answer(self, session: str, request: str, answer: api.Answer) -> int:
        """Answer a request and return the answer's number in the log. Raises: Conflict: it has another answer."""
        path = api.path(api.REQUEST, session=session, request=request)
        return (await self._call("POST", path, answer, answer=api.Recorded)).seq

    def watch(self, session: str, *, after: int) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        """Open a socket with the session's events after a number, as arrays of JSON. Raises: RunnerUnavailable."""
        return self.socket(f"{api.path(api.WATCH, session=session)}?after={after}")

    # --- requests ----------------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | None = None,
        *,
        answer: type[T] = Done,  # type: ignore[assignment]  # the caller that names no type gets no value to use
        timeout_s: float = CALL_S,
        boot: bool = False,
    ) -> T:
        """Send a request and decode its answer. `boot`: the runner has no user yet, so the boot key signs.

        Raises: RunnerUnavailable: not reached, or an invalid answer. The other errors of core.domain.errors: the runner
        refused.
        """
        status, raw = await self._request(method, path, body, timeout_s=timeout_s, boot=boot)
        if status >= 400:
            raise _refusal(status, raw, f"{method} {path}")
        try:
            return msgspec.json.decode(raw, type=answer)
        except UNREADABLE as error:
            raise RunnerUnavailable(f"{method} {path}: {status}, and no answer of ours") from error

    async def _request(
        self, method: str, path: str, body: msgspec.Struct | None, *, timeout_s: float, boot: bool
    ) -> tuple[int, bytes]:
        if self._http.closed:
            raise RunnerUnavailable(f"{method} {path}: the runner is gone")
        kind = {} if body is None else {"Content-Type": "application/json"}
        data = None if body is None else msgspec.json.encode(body)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            with tracing.client_span(f"runner {method} {ID.sub(ONE, path)}"):
                headers = self._headers(boot=boot) | kind  # inside: the runner's spans hang under this one
                async with self._http.request(
                    method, self._url + path, data=data, headers=headers, timeout=timeout
                ) as response:
                    return response.status, await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RunnerUnavailable(f"{method} {path}: {type(error).__name__} {error}") from error

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket to `path`. Raises: RunnerUnavailable: not reached."""
        if self._http.closed:
            raise RunnerUnavailable(f"{path}: the runner is gone")
        try:
            async with asyncio.timeout(CALL_S):
                socket = await self._http.ws_connect(
                    self._url + path,
                    headers=self._headers(),
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=FRAME_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=0.5),
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RunnerUnavailable(f"{path}: {type(error).__name__} {error}") from error
        try:
            yield socket
        finally:
            await socket.close()

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes | AsyncIterator[bytes] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request whose body or answer may be a stream of any length; a pause of CALL_S in the answer breaks it off.

        Raises: RunnerUnavailable: not reached, broken off, or `runner_outdated`: it does not know this path. The other
        errors of core.domain.errors: what the runner refused with.
        """
        if self._http.closed:
            raise RunnerUnavailable(f"{path}: the runner is gone")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CALL_S, sock_read=CALL_S)
        sent = {**self._headers(), **headers}
        try:
            with tracing.client_span(f"runner {method} {ID.sub(ONE, path)}"):
                async with self._http.request(
                    method, self._url + path, params=dict(query), headers=sent, data=body, timeout=timeout
                ) as answer:
                    if answer.status >= 400:
                        raise _refusal(answer.status, await answer.content.read(REFUSAL_BYTES), f"{method} {path}")
                    yield answer
        except (TimeoutError, aiohttp.ClientError, OSError, EOFError) as error:
            raise RunnerUnavailable(f"{method} {path}: {type(error).__name__} {error}") from error

    @asynccontextmanager
    async def _stream(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Yield the answer to GET `path` as it comes. It fails after a pause of CALL_S.

        Raises: RunnerUnavailable: not reached, refused, or broken off.
        """
        if self._http.closed:
            raise RunnerUnavailable(f"{path}: the runner is gone")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CALL_S, sock_read=CALL_S)
        try:
            async with self._http.get(self._url + path, headers=self._headers(), timeout=timeout) as answer:
                if answer.status != 200:
                    raise RunnerUnavailable(f"{path}: {answer.status}")
                yield answer.content
        except (TimeoutError, aiohttp.ClientError, OSError, EOFError) as error:
            raise RunnerUnavailable(f"{path}: {type(error).__name__} {error}") from error

    def _headers(self, *, boot: bool = False) -> dict[str, str]:
        key, audience = (self._boot_key, self._boot) if boot else (self.box.key, f"runner:{self.box.id}")
        token = tokens.sign({"sub": self.box.user}, key=key, audience=audience)
        here = tracing.current.get()
        return {"Authorization": f"Bearer {token}"} | ({"traceparent": here.header} if here else {})


def _refusal(status: int, raw: bytes, what: str) -> PlatformError:
    """The error that an answer with a status of 400 or more stands for."""
    try:
        refusal = msgspec.json.decode(raw, type=api.Refusal)
    except UNREADABLE:
        code = "runner_outdated" if status in (404, 405) else ""  # its router's own words: it is an older version
        return RunnerUnavailable(f"{what}: {status}, and no answer of ours", code=code)
    kind = _ERRORS.get(status, RunnerUnavailable)
    return kind((refusal.detail or str(status))[:500], code=refusal.code[:64])
