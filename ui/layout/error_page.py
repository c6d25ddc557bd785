"""The page that is shown instead of one that failed: a sentence and a link to go on.

Something of another user and something that never was give byte for byte the same answer (G8).
"""

import logging
from html import escape
from secrets import token_hex
from urllib.parse import quote

from nicegui import app
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from auth.rate import SlowDown
from core.domain.errors import NotFound, NotSignedIn, PlatformError
from ui.layout.i18n import Translations
from ui.layout.page_frame import NAME
from ui.layout.services import Services
from ui.layout.static_page import document, mark, words_of

log = logging.getLogger("oma.pages")

TITLED = (
    "not_found",
    "runner_unavailable",
    "store_unavailable",
    "unavailable",
    "forbidden",
    "internal",
    "export_under_way",
    "slow_down",
)


def refusal(request: Request, error: PlatformError, *, incident: str = "") -> Response:
    """The page that stands for this error. `incident`: what the log calls it."""
    if isinstance(error, NotSignedIn):
        return RedirectResponse(f"/login?next={quote(_here(request))}", status_code=303)
    words = words_of(request)
    code = error.code if error.code in TITLED else "internal"
    title = words.t(f"error.{code}.title")
    again = "" if isinstance(error, NotFound) else _link("", words.t("error.again"), "btn")
    number = words.t("error.incident", incident=incident) if incident else ""
    said = f'<p class="who meta" data-testid="incident">{escape(number)}</p>' if number else ""
    home = f'<a class="row home" href="/dashboard">{mark(24)}<span class="name">{NAME}</span></a>'
    body = (
        f'<header class="head">{home}</header><main class="login"><div class="in"><h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(_sentence(words, code, error))}</p>'
        f'<p class="ways">{again}{_link("/dashboard", words.t("error.home"), "btn")}</p>{said}'
        f"</div></main>"
    )
    return document(request, words, title=title, body=body, status=error.status)


def _sentence(words: Translations, code: str, error: PlatformError) -> str:
    if isinstance(error, SlowDown):
        return words.t("error.slow_down", n=error.wait_s)
    return words.t(f"error.{code}")


def _link(href: str, text: str, classes: str) -> str:
    return f'<a class="{classes}" href="{href}">{escape(text)}</a>'


def _here(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return str(request.scope["path"]) + (f"?{query}" if query else "")


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/_nicegui")


def _absent(request: Request) -> Response:
    """The 404 page, the same for pages that do not exist and for pages of other users."""
    if _wants_page(request):
        return refusal(request, NotFound())
    return PlainTextResponse("Not Found", status_code=404)


def install(_services: Services) -> None:
    """Take over from NiceGUI's own error pages."""

    @app.exception_handler(PlatformError)
    async def refused(request: Request, error: PlatformError) -> Response:
        if error.status >= 500:
            log.error("page %s failed: %s", request.url.path, error, exc_info=error)
        return _absent(request) if isinstance(error, NotFound) else refusal(request, error)

    @app.exception_handler(404)
    async def not_there(request: Request, _error: Exception) -> Response:
        return _absent(request)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        incident = token_hex(4)
        log.error("page %s failed, incident %s", request.url.path, incident, exc_info=error)
        return refusal(request, PlatformError(), incident=incident)
