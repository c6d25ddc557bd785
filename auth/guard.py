"""Checks every request: its address, its origin, its user, and the user's right to it.

The decision uses `scope["path"]`, never a URL that a Host header can change. What cannot be decided is refused.
Passed on in `scope["state"]`: `user` and `login` (absent for strangers), `bind` (what a page's sockets must have too)
and `address`.
"""

import logging
import re
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from contextvars import ContextVar
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, quote

from limits import RateLimitItem
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth import cookies
from auth.body_limits import Body, BodyTooSlow, BodyUnread, TooLarge, declared, is_upload, limit_of
from auth.cookies import Cookies
from auth.hostile_log import quiet
from auth.logins import Logins
from auth.problems import headers_for, problem
from auth.rate import READ, SIGN_IN, STRANGER, UPLOADS, WRITE, RateLimiter, SlowDown
from auth.site import Site, network_of, strip_forwarded
from auth.socket_limits import PER_NETWORK, PER_USER, ConnectionLimiter, FrameLimits
from auth.uvicorn_config import MAX_HEAD_BYTES
from core.domain.audit import RequestOrigin
from core.domain.errors import BadInput, Forbidden, NotSignedIn, PlatformError, TooMuch
from core.domain.records import User
from core.observability import metrics

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH = frozenset({"/healthz", "/readyz"})  # asked by machines that know us by number
OPEN_PATHS = frozenset({"/login", "/favicon.ico", "/robots.txt"})
OPEN_PREFIXES = ("/auth/", "/_nicegui/", "/theme/")
STATIC_PREFIXES = ("/_nicegui/", "/theme/")  # the same for everybody: nobody is looked up for them
SOCKET_PREFIX, SOCKET = "/_nicegui_ws/", "/_nicegui_ws/socket.io/"
VISIT = re.compile(r"[A-Za-z0-9_-]{20,64}")
CLIENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # as NiceGUI makes them
MAX_HEADERS = 100
TWO_LENGTHS = "a request with both Content-Length and Transfer-Encoding was refused"

log = logging.getLogger("oma.guard")

current_user: ContextVar[User | None] = ContextVar("current_user", default=None)
"""Set while a request is answered; page builders run inside that."""

current_origin: ContextVar[RequestOrigin | None] = ContextVar("current_origin", default=None)
"""Set while a request is answered, and while a socket is open for what comes over it."""


class HeadTooLarge(BadInput):
    """The request line and the headers are over the limit."""

    code, status = "head_too_large", 431


class AmbiguousLength(BodyUnread):
    """The body's length is given twice: a server in front of us may use the other value."""


Page = Callable[[Request, PlatformError], Response]
"""Renders an error as a page for a person."""


class Guard:
    """Pure ASGI, so that it sees sockets too and adds no task to a request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        site: Site,
        jar: Cookies,
        logins: Logins,
        rates: RateLimiter,
        page: Page | None = None,
        upload_bytes: int = 0,
    ) -> None:
        quiet("oma.guard", TWO_LENGTHS)
        self.app, self._site, self._jar, self._logins, self._rates = app, site, jar, logins, rates
        self._page, self._connections, self._upload_bytes = page, ConnectionLimiter(), upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in HEALTH:
            await self.app(scope, receive, send)
            return
        state = scope["state"] = dict(scope.get("state") or {})
        try:
            refusal = await self._admit(scope, state)
        except PlatformError as error:
            refusal = self._answer(scope, error)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        user, origin = current_user.set(state.get("user")), current_origin.set(_origin(scope, state))
        try:
            if scope["type"] == "websocket":
                await self._hold(scope, state, receive, send)
            else:
                await self._pass(scope, state, receive, send)
        finally:
            current_user.reset(user)
            current_origin.reset(origin)

    async def _admit(self, scope: Scope, state: MutableMapping[str, Any]) -> Response | None:
        """Return an answer that ends the request, or None to go on. Raises: PlatformError: refused."""
        path, unsafe = scope["path"], scope.get("method", "GET") not in SAFE
        _short_head(scope)
        _one_length(scope)
        headers = dict(scope["headers"])
        if moved := self._moved(scope, unsafe=unsafe):
            return moved
        origin = self._addressed(scope)
        state["address"] = self._site.caller(scope)
        strip_forwarded(scope, scheme=origin.partition(":")[0])
        sign_in = path == "/login" or (path.startswith("/auth/") and path != "/auth/logout")
        if sign_in:
            await self._rates.hit(SIGN_IN, network_of(state["address"]))
        if scope["type"] == "websocket":
            _from_our_page(headers, origin)
            _for_a_page(scope)
        elif unsafe:
            _no_forgery(headers, origin)
            declared(headers, self._body_limit(scope))
        if path.startswith(STATIC_PREFIXES) and not unsafe:
            return None
        await self._recognise(headers, state)
        if not sign_in:
            await self._rate_limit(
                state, UPLOADS if is_upload(scope.get("method", ""), path) else WRITE if unsafe else READ
            )
        if "user" in state and scope["type"] == "http" and path.startswith(SOCKET_PREFIX):
            raise BadInput("sockets only", code="no_polling")
        return None if "user" in state else self._stranger(scope, unsafe=unsafe)

    def _body_limit(self, scope: Scope) -> int:
        return limit_of(scope.get("method", ""), scope["path"], upload_bytes=self._upload_bytes)

    async def _rate_limit(self, state: Mapping[str, Any], kind: RateLimitItem) -> None:
        """Raises: SlowDown."""
        user = state.get("user")
        if isinstance(user, User):
            await self._rates.hit(kind, user.id)
        else:
            await self._rates.hit(STRANGER, network_of(state["address"]))

    def _moved(self, scope: Scope, *, unsafe: bool) -> Response | None:
        """Redirect alias hosts to OMA_PUBLIC_URL, the only host that sign-in and sockets accept."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if scope["type"] != "http" or unsafe or len(hosts) != 1 or not self._site.alias(hosts[0].decode("latin-1")):
            return None
        query = scope.get("query_string", b"").decode("latin-1")
        path = "/" + quote(scope["path"].lstrip("/"), safe="/")
        return RedirectResponse(f"{self._site.url}{path}" + (f"?{query}" if query else ""), 302)

    def _addressed(self, scope: Scope) -> str:
        """Return our origin for the Host header. Raises: BadInput: the header does not name this server."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        origin = self._site.origin(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if origin is None:
            raise BadInput("this is not the address of this server", code="bad_host")
        return origin

    async def _recognise(self, headers: Mapping[bytes, bytes], state: MutableMapping[str, Any]) -> None:
        given = cookies.read(headers)
        signed = await self._logins.find(given.get(self._jar.login, ""))
        if signed is not None:
            bind = f"login:{signed.login.id}:{signed.user.role}"  # a page made for another role is not theirs any more
            state.update(user=signed.user, login=signed.login.id, bind=bind)
            return
        visit = given.get(self._jar.visit, "")
        if not VISIT.fullmatch(visit):
            visit = state["new_visit"] = token_urlsafe(24)
        state["bind"] = f"visit:{visit}"

    def _stranger(self, scope: Scope, *, unsafe: bool) -> Response | None:
        """Return how to answer a request without a login: None lets it pass. Raises: NotSignedIn."""
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

    async def _hold(self, scope: Scope, state: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve a socket while it is open, within the limit of sockets per user or network."""
        user = state.get("user")
        who, most = (user.id, PER_USER) if isinstance(user, User) else (network_of(state["address"]), PER_NETWORK)
        with ExitStack() as slot:
            try:
                slot.enter_context(self._connections.slot(who, most=most))
            except TooMuch as error:
                await _refuse(problem(error), scope, receive, send)
                return
            slot.enter_context(metrics.sockets.track_inprogress())
            await self.app(scope, FrameLimits(receive, send, who=who), send)

    async def _pass(self, scope: Scope, state: Mapping[str, Any], receive: Receive, send: Send) -> None:
        visit = state.get("new_visit")
        started = False

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if visit:
                    header = self._jar.set(self._jar.visit, visit, max_age_s=None)
                    message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        try:
            await self.app(scope, Body(receive, self._body_limit(scope)), marked)
        except (TooLarge, BodyTooSlow) as error:
            if started:
                raise
            await _refuse(problem(error), scope, receive, send)

    def _answer(self, scope: Scope, error: PlatformError) -> Response:
        """Return the error as a page for a browser, or as problem+json for a program."""
        accepts = dict(scope["headers"]).get(b"accept", b"")
        if self._page is None or not isinstance(error, SlowDown) or b"text/html" not in accepts:
            return problem(error)
        answer = self._page(Request(scope), error)
        answer.headers.update(headers_for(error))
        return answer


def _origin(scope: Scope, state: Mapping[str, Any]) -> RequestOrigin:
    agents = [value for name, value in scope["headers"] if name == b"user-agent"]
    return RequestOrigin(address=str(state.get("address", "")), device=agents[0].decode("latin-1") if agents else "")


def _from_our_page(headers: Mapping[bytes, bytes], origin: str) -> None:
    """Require an Origin header of our own: browsers always send one with a socket. Raises: Forbidden."""
    if headers.get(b"origin", b"").decode("latin-1").lower() != origin:
        raise Forbidden("from another site", code="cross_site")


def _no_forgery(headers: Mapping[bytes, bytes], origin: str) -> None:
    """Require that a request which changes something comes from one of our pages (CSRF). Raises: Forbidden."""
    site, said = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None and site != b"same-origin":
        raise Forbidden("from another site", code="cross_site")
    if said is None and site is None:
        raise Forbidden("it does not say where it comes from", code="cross_site")
    if said is not None and said.decode("latin-1").lower() != origin:
        raise Forbidden("from another site", code="cross_site")


def _for_a_page(scope: Scope) -> None:
    """Require a new NiceGUI socket that names its page, before any state is kept for it.

    Raises: BadInput.
    """
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    named = CLIENT_ID.fullmatch(query.get("client_id", [""])[0])
    if scope["path"] != SOCKET or named is None or query.get("transport") != ["websocket"] or "sid" in query:
        raise BadInput("a socket for no page", code="no_page")


def _short_head(scope: Scope) -> None:
    """Limit the headers. The server limits them only while they are incomplete; here they are complete.

    Raises: HeadTooLarge.
    """
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers) + len(scope.get("query_string", b""))
    if len(headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
        raise HeadTooLarge("the headers are too large")


def _one_length(scope: Scope) -> None:
    """Raises: AmbiguousLength."""
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        log.warning(TWO_LENGTHS)
        raise AmbiguousLength("The request has both Content-Length and Transfer-Encoding.")


async def _refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # its connect
        await send({"type": "websocket.close", "code": 4403})  # before it was accepted: the peer sees 403
        return
    await refusal(scope, receive, send)
