"""Anthropic's Messages API, passed through: the real key is added here, and bytes go on as they come."""

import asyncio
import io
import logging
from collections.abc import Mapping

import aiohttp
from aiohttp import web

from core.gateway.providers import Call
from core.gateway.web_errors import KEY_REFUSED, OVERLOADED, api_error
from core.hangup import hung_up
from core.settings import Secret

log = logging.getLogger("oma.gateway")

CONNECT_S = 10.0
STALL_S = 60.0  # the API sends pings in a stream; a silence this long is a lost connection
WHOLE_ANSWER_S = 600.0  # without streaming nothing comes before everything has; the CLI's own limit
POOL = 512
KEEP_ALIVE_S = 30.0
LARGE_BYTES = 512 * 1024  # from here on a body is written in pieces, or other streams would wait for it

# Of the connection to us, not of the message; and what the CLI says of who it is, which is not who calls upstream.
NOT_FORWARDED = frozenset({
    "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization",
    "proxy-authenticate", "content-length", "x-api-key", "authorization", "cookie", "forwarded", "accept-encoding",
})  # fmt: skip
NOT_RETURNED = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "set-cookie",
    "content-length", "date", "server",
})  # fmt: skip


class Anthropic:
    """A pool of connections upstream; made before the loop's first call, closed with the gateway."""

    def __init__(self, *, key: Secret, base_url: str, stall_s: float = STALL_S) -> None:
        self._key, self._base_url, self._stall_s = key, base_url.rstrip("/"), stall_s
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def answer(self, call: Call, request: web.Request) -> web.StreamResponse:
        try:
            upstream = await self._ask(call)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the model cannot be reached: %s %s", type(error).__name__, error)
            message = f"{OVERLOADED}: the model at {self._base_url} cannot be reached ({type(error).__name__})"
            return api_error(529, message)
        try:
            if upstream.status in (401, 403):
                return await self._refused(upstream)
            return await self._pass_on(upstream, request)
        finally:
            upstream.close()  # a connection that was read to its end has gone back to the pool by itself

    async def _ask(self, call: Call) -> aiohttp.ClientResponse:
        """Headers of the answer, asked for once more if the connection from the pool had just died."""
        try:
            return await self._post(call)
        except aiohttp.ServerDisconnectedError:
            return await self._post(call)

    async def _post(self, call: Call) -> aiohttp.ClientResponse:
        url = f"{self._base_url}{call.path}" + (f"?{call.query}" if call.query else "")
        headers = _forwarded(call.headers) | {"x-api-key": str(self._key), "accept-encoding": "identity"}
        body = call.body if len(call.body) < LARGE_BYTES else io.BytesIO(call.body)
        async with asyncio.timeout(self._stall_s if _streams(call.body) else WHOLE_ANSWER_S):
            return await self._pool().post(url, data=body, headers=headers, allow_redirects=False)

    async def _refused(self, upstream: aiohttp.ClientResponse) -> web.Response:
        """The CLI would repeat a 401 for minutes, and it is not its own key that is wrong."""
        log.error("the model refused the platform's key: %s", upstream.status)
        return api_error(
            400,
            f"{KEY_REFUSED}: the model refused the platform's key (status {upstream.status}); check ANTHROPIC_API_KEY",
        )

    async def _pass_on(self, upstream: aiohttp.ClientResponse, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, headers=_returned(upstream.headers))
        await response.prepare(request)
        watchdog = _Watchdog(upstream, self._stall_s if _is_stream(upstream) else WHOLE_ANSWER_S)
        try:
            async for chunk in upstream.content.iter_any():
                watchdog.fed()
                await response.write(chunk)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if hung_up(request):
                raise ConnectionError("the caller went away") from error
            if not watchdog.fired:
                log.warning("the model's answer broke off: %s", error)
                _break_off(request)
                return response
            await response.write(_stalled(self._stall_s))
        finally:
            watchdog.end()
        await response.write_eof()
        return response

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=POOL, keepalive_timeout=KEEP_ALIVE_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=256 * 1024,
            )
        return self._session


class _Watchdog:
    """Closes an upstream that has been silent too long. One timer a call, not one a chunk."""

    def __init__(self, upstream: aiohttp.ClientResponse, stall_s: float) -> None:
        self._upstream, self._stall_s = upstream, stall_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self.fired = False
        self._timer = self._loop.call_at(self._last + stall_s, self._look)

    def fed(self) -> None:
        self._last = self._loop.time()

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        due = self._last + self._stall_s
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
            return
        self.fired = True
        self._upstream.content.set_exception(TimeoutError("the model fell silent"))


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in NOT_FORWARDED}


def _returned(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in NOT_RETURNED}


def _streams(body: bytes) -> bool:
    """Whether a request asks for a stream. Only the waiting time hangs on it, so a search in the bytes will do."""
    return b'"stream":true' in body or b'"stream": true' in body


def _is_stream(upstream: aiohttp.ClientResponse) -> bool:
    return upstream.content_type == "text/event-stream"


def _stalled(seconds: float) -> bytes:
    message = f"{OVERLOADED}: the model sent nothing for {seconds:g} s"
    error = f'{{"type":"error","error":{{"type":"overloaded_error","message":"{message}"}}}}'
    return f"\n\nevent: error\ndata: {error}\n\n".encode()


def _break_off(request: web.Request) -> None:
    """Cut the caller's connection as ours was cut: half an answer must not look like a whole one."""
    if request.transport:
        request.transport.abort()
