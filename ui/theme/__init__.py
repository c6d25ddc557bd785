"""The look: one style sheet from the files beside this one, served once and for ever under the hash of its content.

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
# What NiceGUI's page brings and ours do not use: Quasar's looks and components, Roboto, Material Icons.
UNUSED = re.compile(
    rb'@import url\("[^"]*/(?:fonts|quasar\.(?:un)?important(?:\.prod)?)\.css"\) layer\(\w+\);'
    rb'|<script defer src="[^"]*/(?:quasar\.umd(?:\.prod)?|lang/[\w-]+\.umd(?:\.prod)?)\.js"></script>'
)
# Of Quasar's components NiceGUI's page itself has three around ours. As plain elements they cost 155 KB less to fetch,
# and a third of the time until the page can be used.
PLAIN_LAYOUT = """
for (const name of ["q-layout", "q-page-container", "q-page"])
    app.component(name, (props, { slots }) => Vue.h("div", { class: name }, slots.default?.()));
"""


@lru_cache(maxsize=1)
def sheet() -> str:
    """The whole style sheet."""
    first = HERE / "tokens.css"
    rest = sorted(path for path in HERE.glob("*.css") if path != first)
    return "\n".join([path.read_text("utf-8") for path in (first, *rest)] + [icons()])


def icons() -> str:
    """One mask per symbol: coloured by `currentColor`, and no more than a class name in sanitised HTML."""
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
    """What runs before the first paint: language, theme, menus."""
    return (HERE / "boot.js").read_text("utf-8")


@lru_cache(maxsize=1)
def files() -> dict[str, tuple[bytes, str]]:
    """Path under which each file is served → its gzip and media type. A path changes with the text behind it."""
    both = ((sheet(), "css", "text/css"), (script(), "js", "text/javascript"))
    return {
        f"/theme/{sha256(text.encode()).hexdigest()[:12]}.{end}": (gzip.compress(text.encode(), 9, mtime=0), kind)
        for text, end, kind in both
    }


def head(values: Mapping[str, str]) -> str:
    """What every page has in its head; `values` are for boot.js. No inline script: it needs no nonce."""
    style, boot = files()
    return (
        f'<meta name="theme-color" content="#FCFCFD"><meta name="oma" content="{escape(json.dumps(values))}">'
        f'<link rel="stylesheet" href="{style}"><script src="{boot}"></script>'
    )


class Lean:
    """ASGI layer that leaves the unused style sheets out of NiceGUI's pages (40 KB, three requests, no leaks)."""

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


def install(_desk: object = None) -> None:
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
