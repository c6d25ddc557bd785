"""Security headers of every response: six fixed ones, a content security policy, and no caching.

NiceGUI's pages get a nonce for their scripts. They need 'unsafe-eval' (Vue compiles its templates in the browser) and
inline styles; nothing else does, and everything else gets a policy that allows nothing.
"""

import gzip
import logging
import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth.site import Site

log = logging.getLogger("oma.web")

Headers = list[tuple[bytes, bytes]]

FIXED: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()"),
]
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
PAGE = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self' {socket}; manifest-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SCRIPT = re.compile(rb"<script(?=[\s>])(?![^>]*\bnonce=)")
GZIP_OVER_BYTES, GZIP_LEVEL = 1000, 4  # level 4: half the time of 9 for 5 % more bytes
PROBLEM = (b"content-type", b"application/problem+json")
OOPS = (  # the cause is in the log only
    '{{"type":"about:blank","title":"The platform failed.","status":500,"code":"internal",'
    '"detail":"The log says more, under the number of the incident.","incident":"{incident}"}}'
)


class SecurityHeaders:
    """The outermost layer. It compresses pages itself, because the nonce has to go into the plain text."""

    def __init__(self, app: ASGIApp, *, site: Site) -> None:
        self.app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        response = _Response(scope, send, self._site)
        try:
            await self.app(scope, receive, response.send)
        except Exception:  # the server logs it; the client still gets the headers
            incident = secrets.token_hex(4)
            log.error("request %s failed, incident %s; what it was follows", scope["path"], incident)
            if not response.started:
                await response.send({"type": "http.response.start", "status": 500, "headers": [PROBLEM]})
                await response.send({"type": "http.response.body", "body": OOPS.format(incident=incident).encode()})
            raise


class _Response:
    """A response on its way out. A page is held back until it is complete."""

    def __init__(self, scope: Scope, send: Send, site: Site) -> None:
        self._send, self._site = send, site
        given = dict(scope["headers"])
        self._host = given.get(b"host", b"").decode("latin-1")
        self._gzip = b"gzip" in given.get(b"accept-encoding", b"")
        if not scope["path"].startswith("/_nicegui/"):
            # NiceGUI's own layer would compress the page before the nonce is in
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        self.started = False
        self._page: Message | None = None
        self._body: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers: Headers = [(name.lower(), value) for name, value in message["headers"]]
            message = {**message, "headers": headers}
            if _is_page(headers):
                self._page = message
                return
            await self._send({**message, "headers": _complete(headers, NOTHING)})
        elif self._page is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body.append(message.get("body", b""))
            if not message.get("more_body"):
                await self._send_page(self._page, b"".join(self._body))

    async def _send_page(self, start: Message, body: bytes) -> None:
        nonce = secrets.token_urlsafe(16)
        body = SCRIPT.sub(b'<script nonce="%s"' % nonce.encode(), body)
        headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        if self._gzip and len(body) > GZIP_OVER_BYTES:
            body = gzip.compress(body, GZIP_LEVEL)
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", b"%d" % len(body)))
        origin = self._site.origin(self._host) or self._site.url
        policy = PAGE.format(nonce=nonce, socket=origin.replace("http", "ws", 1))
        await self._send({**start, "headers": _complete(headers, policy)})
        await self._send({"type": "http.response.body", "body": body})


def _is_page(headers: Headers) -> bool:
    given = dict(headers)
    return b"x-nicegui-content" in given and given.get(b"content-type", b"").startswith(b"text/html")


def _complete(headers: Headers, policy: str) -> Headers:
    """Add our headers. They replace those of inner layers, except a policy or cache rule that is set there."""
    fixed = {name for name, _ in FIXED}
    kept = [pair for pair in headers if pair[0] not in fixed]
    there = {name for name, _ in kept}
    if b"content-security-policy" not in there:
        kept.append((b"content-security-policy", policy.encode()))
    if b"cache-control" not in there or b"x-nicegui-content" in there:
        kept = [pair for pair in kept if pair[0] != b"cache-control"] + [(b"cache-control", b"no-store")]
    return kept + FIXED
