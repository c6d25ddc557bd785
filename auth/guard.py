"""The door of every request: is it addressed to us, from one of our own pages, by whom, and may they come in.

It decides by `scope["path"]`, never by a URL that a Host header can bend, and whatever it cannot tell it refuses.
Passed on in `scope["state"]`: `user` and `login` (absent for strangers), `bind` (what a page's sockets must have too)
and `address`.
"""

import re
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth import cookies
from auth.cookies import Cookies
from auth.logins import Logins
from auth.rate import Rate
from auth.site import Site, network_of, strip_forwarded
from core.audit import Origin
from core.errors import BadInput, Forbidden, NotSignedIn, PlatformError, TooMuch
from core.model import User

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH = frozenset({"/healthz", "/readyz"})  # asked by machines that know us by number
OPEN_PATHS = frozenset({"/login", "/favicon.ico", "/robots.txt"})
OPEN_PREFIXES = ("/auth/", "/_nicegui/", "/theme/")
STATIC_PREFIXES = ("/_nicegui/", "/theme/")  # the same for everybody: nobody is looked up for them
SOCKET_PREFIX = "/_nicegui_ws/"
VISIT = re.compile(r"[A-Za-z0-9_-]{20,64}")
MAX_BODY_BYTES = 2 * 2**20  # the longest message, 200,000 characters, in its longest JSON spelling

current_user: ContextVar[User | None] = ContextVar("current_user", default=None)
"""Set while a request is answered; page builders run inside that."""

current_origin: ContextVar[Origin | None] = ContextVar("current_origin", default=None)
"""Set while a request is answered, and while a socket is open for what comes over it."""


class TooLarge(BadInput):
    """The body is over the limit."""

    code, status = "too_large", 413


class Guard:
    """Pure ASGI, so that it sees sockets too and adds no task to a request."""

    def __init__(self, app: ASGIApp, *, site: Site, jar: Cookies, logins: Logins, rate: Rate) -> None:
        self.app, self._site, self._jar, self._logins, self._rate = app, site, jar, logins, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in HEALTH:
            await self.app(scope, receive, send)
            return
        state = scope["state"] = dict(scope.get("state") or {})
        try:
            refusal = await self._admit(scope, state)
        except PlatformError as error:
            refusal = problem(error)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        user, origin = current_user.set(state.get("user")), current_origin.set(_origin(scope, state))
        try:
            await self._pass(scope, state, receive, send)
        finally:
            current_user.reset(user)
            current_origin.reset(origin)

    async def _admit(self, scope: Scope, state: MutableMapping[str, Any]) -> Response | None:
        """None: go on. Raises: PlatformError: refused."""
        path, unsafe = scope["path"], scope.get("method", "GET") not in SAFE
        headers = dict(scope["headers"])
        origin = self._addressed(scope)
        state["address"] = self._site.caller(scope)
        strip_forwarded(scope, scheme=origin.partition(":")[0])
        if path == "/login" or (path.startswith("/auth/") and path != "/auth/logout"):
            if wait_s := self._rate.take(network_of(state["address"])):
                raise TooMuch(f"{wait_s:.0f}", code="slow_down")
        if scope["type"] == "websocket":
            _from_our_page(headers, origin)
        elif unsafe:
            _no_forgery(headers, origin)
            _no_more_than(headers)
        if path.startswith(STATIC_PREFIXES) and not unsafe:
            return None
        await self._recognise(headers, state)
        return None if "user" in state else self._stranger(scope, unsafe=unsafe)

    def _addressed(self, scope: Scope) -> str:
        """Our origin, by the one Host header. Raises: BadInput: that is not our name."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        origin = self._site.origin(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if origin is None:
            raise BadInput("this is not the address of this server", code="bad_host")
        return origin

    async def _recognise(self, headers: Mapping[bytes, bytes], state: MutableMapping[str, Any]) -> None:
        given = cookies.read(headers)
        signed = await self._logins.find(given.get(self._jar.login, ""))
        if signed is not None:
            state.update(user=signed.user, login=signed.login.id, bind=f"login:{signed.login.id}")
            return
        visit = given.get(self._jar.visit, "")
        if not VISIT.fullmatch(visit):
            visit = state["new_visit"] = token_urlsafe(24)
        state["bind"] = f"visit:{visit}"

    def _stranger(self, scope: Scope, *, unsafe: bool) -> Response | None:
        """What somebody without a login may have. Raises: NotSignedIn."""
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES):
            return None
        if scope["type"] == "websocket":
            if path.startswith(SOCKET_PREFIX):
                return None  # anonymous pages have sockets too: auth.sockets looks at `bind`
            raise NotSignedIn
        if unsafe or path.startswith(("/api/", SOCKET_PREFIX)):
            raise NotSignedIn("sign in first")
        query = scope.get("query_string", b"").decode("latin-1")
        target = quote(path + (f"?{query}" if query else ""), safe="")
        return RedirectResponse(f"/login?next={target}" if target != "%2F" else "/login", 303)

    async def _pass(self, scope: Scope, state: Mapping[str, Any], receive: Receive, send: Send) -> None:
        visit = state.get("new_visit")
        size, started = 0, False

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if size > MAX_BODY_BYTES:
                raise TooLarge
            return message

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if visit:
                    header = self._jar.set(self._jar.visit, visit, max_age_s=None)
                    message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        try:
            await self.app(scope, bounded, marked)
        except TooLarge as error:
            if started:
                raise
            await _refuse(problem(error), scope, receive, send)


def _origin(scope: Scope, state: Mapping[str, Any]) -> Origin:
    agents = [value for name, value in scope["headers"] if name == b"user-agent"]
    return Origin(address=str(state.get("address", "")), device=agents[0].decode("latin-1") if agents else "")


def problem(error: PlatformError) -> Response:
    """application/problem+json with our code; the sentence is the catalogues' business."""
    body = {"type": "about:blank", "title": error.code, "status": error.status, "code": error.code}
    headers = {"Retry-After": str(error)} if isinstance(error, TooMuch) else {}
    return _Problem({**body, "detail": str(error)}, error.status, headers)


class _Problem(Response):
    media_type = "application/problem+json"

    def __init__(self, body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(msgspec.json.encode(body), status, headers)


def _from_our_page(headers: Mapping[bytes, bytes], origin: str) -> None:
    """Browsers always say where a socket comes from; who does not is refused. Raises: Forbidden."""
    if headers.get(b"origin", b"").decode("latin-1").lower() != origin:
        raise Forbidden("from another site", code="cross_site")


def _no_forgery(headers: Mapping[bytes, bytes], origin: str) -> None:
    """A request that changes something must come from one of our pages, and say so. Raises: Forbidden."""
    site, said = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None and site != b"same-origin":
        raise Forbidden("from another site", code="cross_site")
    if said is None and site is None:
        raise Forbidden("it does not say where it comes from", code="cross_site")
    if said is not None and said.decode("latin-1").lower() != origin:
        raise Forbidden("from another site", code="cross_site")


def _no_more_than(headers: Mapping[bytes, bytes]) -> None:
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 12 or int(length) > MAX_BODY_BYTES:
        raise TooLarge("the body is too large")


async def _refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # its connect
        await send({"type": "websocket.close", "code": 4403})  # before it was accepted: the peer sees 403
        return
    await refusal(scope, receive, send)
