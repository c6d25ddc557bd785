"""Forwards model calls to an upstream with the platform's credential, and the answers byte by byte as they come."""

import asyncio
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from aiohttp import web

from core.gateway.http_errors import api_error
from core.gateway.providers import AnswerObserver, Call
from core.lib.aiohttp_disconnects import hung_up
from core.observability.redaction import Redactor
from core.protocol.gateway_api import KEY_REFUSED, OVERLOADED

log = logging.getLogger("oma.gateway")

CONNECT_S = 10.0
STALL_S = 60.0  # the API sends pings in a stream; a silence this long is a lost connection
WHOLE_ANSWER_S = 600.0  # for an answer without streaming; the CLI has the same limit
POOL = 512
KEEP_ALIVE_S = 30.0
ERROR_BYTES = 64 * 1024  # of an error; the API needs a few hundred
LARGE_BYTES = 512 * 1024  # a larger body is written in pieces, so that other streams need not wait

ROUNDS = 3  # an expired credential and an unknown beta are corrected once each

# Headers of the connection to us, and the CLI's identity, which is not the platform's.
NOT_FORWARDED = frozenset({
    "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization",
    "proxy-authenticate", "content-length", "x-api-key", "authorization", "cookie", "forwarded", "accept-encoding",
})  # fmt: skip
NOT_RETURNED = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "set-cookie",
    "content-length", "date", "server",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """A request to the upstream. `headers` has the credential and must not be shown."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Upstream(Protocol):
    """An upstream that speaks the Messages API, with its address, dialect and credential."""

    @property
    def base_url(self) -> str:
        """The address, for logs; it may contain a password."""

    @property
    def fix_hint(self) -> str:
        """The setting to check when the upstream refuses the credential."""

    @property
    def redactor(self) -> Redactor:
        """Masks the credential in answers: a proxy in front of the API may quote it."""

    async def upstream_request(self, call: Call) -> UpstreamRequest:
        """Make the request for a call. Raises: BadInput: it is invalid. Unavailable: there is no credential."""

    async def retry_helps(self, refused: UpstreamRequest, status: int, said: bytes) -> bool:
        """Return whether to send the call once more. `said` is empty for 401 and 403. Raises: Unavailable."""

    def translate_error(self, status: int, said: bytes) -> tuple[int, bytes]:
        """Return a refusal in the form of the Messages API."""


class PassthroughProvider:
    """The Provider over an upstream: a pool of connections, made with the first call and closed with the gateway."""

    def __init__(self, upstream: Upstream, *, stall_s: float = STALL_S) -> None:
        self._upstream, self._stall_s = upstream, stall_s
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def answer(
        self, call: Call, request: web.Request, observer: AnswerObserver | None = None
    ) -> web.StreamResponse:
        for left in reversed(range(ROUNDS)):
            try:
                question, upstream = await self._send(call)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning(
                    "the model at %s cannot be reached: %s %s", self._upstream.base_url, type(error).__name__, error
                )
                message = f"{OVERLOADED}: the model cannot be reached ({type(error).__name__})"
                return api_error(529, self._upstream.redactor.mask_line(message))
            try:
                if upstream.status < 400:
                    return await self._pass_on(upstream, request, observer)
                said = b"" if upstream.status in (401, 403) else await self._read_error(upstream)
                if not left or not await self._upstream.retry_helps(question, upstream.status, said):
                    return (
                        self._key_refused_response(upstream)
                        if upstream.status in (401, 403)
                        else self._error_response(upstream, said)
                    )
            except _BrokeOff as error:
                return api_error(529, f"{OVERLOADED}: the model's answer broke off (status {error})")
            finally:
                upstream.close()  # a connection that was read to its end is back in the pool already
        raise AssertionError("the last round answers")

    async def _send(self, call: Call) -> tuple[UpstreamRequest, aiohttp.ClientResponse]:
        """Send a call and return the answer's headers; once more if the pooled connection had just died."""
        question, streams = await self._upstream.upstream_request(call), _streams(call.body)
        try:
            return question, await self._post(question, streams)
        except aiohttp.ServerDisconnectedError:
            return question, await self._post(question, streams)

    async def _post(self, question: UpstreamRequest, streams: bool) -> aiohttp.ClientResponse:
        headers = {**question.headers, "accept-encoding": "identity"}
        body = question.body if len(question.body) < LARGE_BYTES else io.BytesIO(question.body)
        async with asyncio.timeout(self._stall_s if streams else WHOLE_ANSWER_S):
            return await self._pool().post(question.url, data=body, headers=headers, allow_redirects=False)

    def _key_refused_response(self, upstream: aiohttp.ClientResponse) -> web.Response:
        """Answer 400 when the platform's key is refused: the CLI would repeat a 401 for minutes."""
        log.error("the model refused the platform's key: %s", upstream.status)
        why = f"the model refused the platform's key (status {upstream.status}); check {self._upstream.fix_hint}"
        return api_error(400, f"{KEY_REFUSED}: {why}")

    async def _read_error(self, upstream: aiohttp.ClientResponse) -> bytes:
        """Return the first bytes of an error. Raises: _BrokeOff."""
        said = b""
        try:
            async with asyncio.timeout(self._stall_s):
                while len(said) < ERROR_BYTES and (chunk := await upstream.content.readany()):
                    said += chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the model's answer %s broke off: %s", upstream.status, error)
            raise _BrokeOff(upstream.status) from error
        return said

    def _error_response(self, upstream: aiohttp.ClientResponse, said: bytes) -> web.Response:
        """Pass on any other error with the model's own text."""
        status, worded = self._upstream.translate_error(upstream.status, said)
        body = self._upstream.redactor.mask_bytes(worded)[:ERROR_BYTES]
        return web.Response(status=status, headers=self._returned(upstream.headers), body=body)

    async def _pass_on(
        self, upstream: aiohttp.ClientResponse, request: web.Request, observer: AnswerObserver | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, headers=self._returned(upstream.headers))
        await response.prepare(request)
        if observer:
            observer.begins(streams=_is_stream(upstream))
        watchdog = _Watchdog(upstream, self._stall_s if _is_stream(upstream) else WHOLE_ANSWER_S)
        try:
            async for chunk in upstream.content.iter_any():
                watchdog.reset()
                if observer:
                    await observer.passes(chunk)
                await response.write(chunk)
            if observer:
                await observer.end()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if hung_up(request):
                raise ConnectionError("the caller went away") from error
            if not watchdog.fired:
                log.warning("the model's answer broke off: %s", error)
                _break_off(request)
                return response
            await response.write(_stall_event(self._stall_s))
        finally:
            watchdog.cancel()
        await response.write_eof()
        return response

    def _returned(self, headers: Mapping[str, str]) -> dict[str, str]:
        masked = {name: self._upstream.redactor.mask_text(value) for name, value in headers.items()}
        return {name: value for name, value in masked.items() if name.lower() not in NOT_RETURNED}

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


class _BrokeOff(Exception):
    """The upstream's answer broke off; the text is its status."""


class _Watchdog:
    """Closes an upstream that is silent for too long. It uses one timer per call, not one per chunk."""

    def __init__(self, upstream: aiohttp.ClientResponse, stall_s: float) -> None:
        self._upstream, self._stall_s = upstream, stall_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self.fired = False
        self._timer = self._loop.call_at(self._last + stall_s, self._check)

    def reset(self) -> None:
        self._last = self._loop.time()

    def cancel(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        due = self._last + self._stall_s
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._check)
            return
        self.fired = True
        self._upstream.content.set_exception(TimeoutError("the model fell silent"))


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the CLI's headers that are forwarded, in lower case; those that identify the CLI are left out."""
    return {name.lower(): value for name, value in headers.items() if name.lower() not in NOT_FORWARDED}


def _streams(body: bytes) -> bool:
    """Return whether a request asks for a stream. Only timeouts depend on it, so the bytes are not decoded."""
    return b'"stream":true' in body or b'"stream": true' in body


def _is_stream(upstream: aiohttp.ClientResponse) -> bool:
    return upstream.content_type == "text/event-stream"


def _stall_event(seconds: float) -> bytes:
    message = f"{OVERLOADED}: the model sent nothing for {seconds:g} s"
    error = f'{{"type":"error","error":{{"type":"overloaded_error","message":"{message}"}}}}'
    return f"\n\nevent: error\ndata: {error}\n\n".encode()


def _break_off(request: web.Request) -> None:
    """Abort the caller's connection, so that half an answer does not look like a whole one."""
    if request.transport:
        request.transport.abort()
