"""The web's end of the runner API: one connection pool to one runner of one user."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from core.domain.errors import BadInput, Conflict, Forbidden, NotFound, PlatformError, RunnerUnavailable, TooMuch
from core.domain.records import Box
from core.observability import tracing
from core.protocol import tokens
from core.spawner import Poll, RunnerEndpoint, Spawner

READY_S = 20.0  # from the start of the box to an answer; a cold interpreter on a busy laptop
NAME_S = 35.0  # besides, where it has a name: resolvers remember for 30 s who had it before
RETRY_S = 0.1
ASK_S = 2.0  # for a look at its status
CALL_S = 15.0  # the longest any single call may take; a CLI start is not waited for by any of them
HEARTBEAT_S = 20.0  # shorter than the idle limits of common proxies
FRAME_BYTES = 64 * 1024 * 1024  # a replay is one frame; the runner cuts each tool result to 64 KiB

ID, ONE = (
    re.compile(r"/(sessions|requests|agents)/[^/?]+"),
    r"/\1/{id}",
)  # a span is named by what it does, not to which
_ERRORS: dict[int, type[PlatformError]] = {400: BadInput, 403: Forbidden, 404: NotFound, 409: Conflict, 429: TooMuch}


class RunnerClient:
    """Calls and sockets to one runner. Every request carries a fresh token for this runner and this user."""

    def __init__(self, box: Box, door: RunnerEndpoint) -> None:
        self.box = box
        self._url, self._boot_key, self._named = door.url, door.boot_key or box.key, door.named
        self._boot = tokens.boot_audience(door.pod)
        connector = aiohttp.UnixConnector(door.unix) if door.unix else aiohttp.TCPConnector()
        self._http = aiohttp.ClientSession(
            connector=connector, json_serialize=lambda v: msgspec.json.encode(v).decode()
        )

    @property
    def closed(self) -> bool:
        return self._http.closed

    async def close(self) -> None:
        """Idempotent."""
        await self._http.close()

    async def init(self, whose: dict[str, Any], *, spawner: Spawner) -> None:
        """Tell it whose it is, as soon as it answers. Raises: RunnerUnavailable: it did not; this is closed."""
        try:
            async with asyncio.timeout(READY_S + NAME_S * self._named):
                while True:
                    try:
                        bound = (await self.call("GET", "/healthz")).get("bound")
                        await self.call("POST", "/v1/init", whose, timeout_s=READY_S, boot=not bound)
                        return
                    except PlatformError as error:
                        if not (self._named or isinstance(error, RunnerUnavailable)):  # else it may be another's
                            raise
                        if await spawner.poll(self.box) is Poll.GONE:
                            raise
                        await asyncio.sleep(RETRY_S)
        except (TimeoutError, PlatformError) as error:
            await self.close()
            raise RunnerUnavailable(f"the runner of {self.box.user} did not get ready: {error}") from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def call(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = CALL_S, boot: bool = False
    ) -> dict[str, Any]:
        """One request; its JSON answer. `boot`: to a runner that is nobody's yet.

        Raises: RunnerUnavailable: not reached, or broken. The other errors of core.domain.errors: what the runner said.
        """
        if self._http.closed:
            raise RunnerUnavailable(f"{method} {path}: the runner is gone")
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            with tracing.call(f"runner {method} {ID.sub(ONE, path)}"):
                asked = self._http.request(
                    method, self._url + path, json=body, headers=self._headers(boot=boot), timeout=timeout
                )
                async with asked as answer:
                    raw, status = await answer.read(), answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RunnerUnavailable(f"{method} {path}: {type(error).__name__} {error}") from error
        try:
            said = msgspec.json.decode(raw) if raw else {}
        except msgspec.DecodeError as error:
            raise RunnerUnavailable(f"{method} {path}: no JSON") from error
        if not isinstance(said, dict):
            raise RunnerUnavailable(f"{method} {path}: not an object")
        if status >= 400:
            kind = _ERRORS.get(status, RunnerUnavailable)
            raise kind(str(said.get("detail", status))[:500], code=str(said.get("code", ""))[:64])
        return said

    async def has_open_turn(self) -> bool:
        """Also if it does not say."""
        try:
            return bool((await self.call("GET", "/v1/status", timeout_s=ASK_S)).get("open_turns"))
        except PlatformError:
            return True

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket to `path`. Raises: RunnerUnavailable: not reached."""
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
    async def stream(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The answer to GET `path` as it comes; a pause of CALL_S breaks it off.

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
