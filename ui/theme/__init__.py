"""The theme: one style sheet from the files beside this one, served under the hash of its content and cached for ever.

`tokens.css` comes first, every other `*.css` of this folder after it in order of name, then the icons.
"""

import gzip
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import quote

from nicegui import app
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HERE = Path(__file__).parent
MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
    '<rect width="24" height="24" rx="6.5" fill="{ground}"/>'
    '<circle cx="12" cy="12" r="5.25" fill="none" stroke="{ink}" stroke-width="2"/>'
    '<circle cx="17.1" cy="6.9" r="2.1" fill="{ink}" stroke="{ground}" stroke-width="1.2"/></svg>'
)
FAVICON = "data:image/svg+xml," + quote(MARK.format(ground="#3B5BDB", ink="#fff"), safe="/:=' ")
SYMBOL = re.compile(r'<symbol id="([a-z]+)" viewBox="0 0 16 16">(.*?)</symbol>')
# Parts of NiceGUI's page that ours do not use: Quasar's styles and components, Roboto, Material Icons.
UNUSED = re.compile(
    rb'@import url\("[^"]*/(?:fonts|quasar\.(?:un)?important(?:\.prod)?)\.css"\) layer\(\w+\);'
    rb'|<script defer src="[^"]*/(?:quasar\.umd(?:\.prod)?|lang/[\w-]+\.umd(?:\.prod)?)\.js"></script>'
)
# NiceGUI's page has three of Quasar's components around ours. As plain elements they spare the browser 155 KB and a
# fifth of the work until a page can be used.
PLAIN_LAYOUT = """
for (const [name, tag] of [["q-layout", "div"], ["q-page-container", "div"], ["q-page", "main"]])
    app.component(name, (props, { slots }) => Vue.h(tag, { class: name }, slots.default?.()));
"""


@lru_cache(maxsize=1)
def sheet() -> str:
    """The whole style sheet."""
    first = HERE / "tokens.css"
    rest = sorted(path for path in HERE.glob("*.css") if path != first)
    return "\n".join([path.read_text("utf-8") for path in (first, *rest)] + [icons()])


def icons() -> str:
    """Return a mask per symbol. It has the colour `currentColor`, and sanitised HTML needs only its class name."""
    rules = []
    for name, shape in SYMBOL.findall((HERE / "icons.svg").read_text("utf-8")):
        svg = (
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='#000' stroke-width='1.5'"
            f" stroke-linecap='round' stroke-linejoin='round'>{shape.replace(chr(34), chr(39))}</svg>"
        )
        data = quote(svg, safe="/:=' ,()")
        rules.append(f'.ic-{name}{{--ic:url("data:image/svg+xml,{data}")}}')
    return "\n".join(rules)


@lru_cache(maxsize=1)
def script() -> str:
    """The script that runs before the first paint: language, theme, menus."""
    return (HERE / "boot.js").read_text("utf-8")


@lru_cache(maxsize=1)
def files() -> dict[str, tuple[bytes, str]]:
    """Served path → gzipped content and media type. A path contains the hash of its content."""
    both = ((sheet(), "css", "text/css"), (script(), "js", "text/javascript"))
    return {
        f"/theme/{sha256(text.encode()).hexdigest()[:12]}.{end}": (gzip.compress(text.encode(), 9, mtime=0), kind)
        for text, end, kind in both
    }


def head(values: Mapping[str, str]) -> str:
    """The tags in every page's head; `values` are for boot.js. There is no inline script, so it needs no nonce."""
    style, boot = files()
    return (
        f'<meta name="theme-color" content="#FCFCFD"><meta name="oma" content="{escape(json.dumps(values))}">'
        f'<link rel="stylesheet" href="{style}"><script src="{boot}"></script>'
    )


class Lean:
    """ASGI middleware that removes UNUSED from NiceGUI's pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        held: list[Message] = []  # the start of an HTML response, until its length is known

        async def leaner(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                held.append(message)
            elif held and message["type"] == "http.response.body":
                held.append(message)
                if not message.get("more_body"):
                    await _send_lean(held, send)
                    held.clear()
            else:
                await send(message)

        await self.app(scope, receive, leaner)


def _is_page(start: Message) -> bool:
    headers = dict(start["headers"])
    return b"x-nicegui-content" in headers and headers.get(b"content-type", b"").startswith(b"text/html")


async def _send_lean(held: list[Message], send: Send) -> None:
    start, *parts = held
    body = UNUSED.sub(b"", b"".join(part.get("body", b"") for part in parts))
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


def install(_services: object = None) -> None:
    """Serve the files and make NiceGUI's pages lean. Before the server starts."""
    app.config.vue_config_script = PLAIN_LAYOUT
    app.add_middleware(Lean)

    @app.get("/theme/{name}", include_in_schema=False)
    def theme_file(name: str) -> Response:
        found = files().get(f"/theme/{name}")
        if found is None:
            return Response(status_code=404)
        packed, kind = found  # packed once for ever; there is no browser left that cannot open it
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Encoding": "gzip"}
        return Response(packed, media_type=kind, headers=headers)
