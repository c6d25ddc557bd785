"""`/login`: one button, to the identity provider or, in local mode, for a new sign-in link in the terminal."""

from html import escape
from urllib.parse import urlencode

from nicegui import app
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.config.checks import EVERYBODY
from core.config.settings import Settings
from core.domain import records
from core.domain.errors import NotSignedIn
from ui import theme
from ui.layout.i18n import Translations
from ui.layout.services import Services
from ui.layout.static_page import document, languages, mark, words_of

GOOGLE = theme.HERE / "google.svg"


def install(services: Services) -> None:
    """Serve the page. `?next=` is where to go afterwards, `?error=` a code, `?link=printed`: look in the terminal."""

    @app.get("/login", include_in_schema=False)
    def login(request: Request, next: str = "", error: str = "", link: str = "") -> Response:
        try:
            services.auth.current()
        except NotSignedIn:
            return _page(services, request, next=next, error=error, printed=link == "printed")
        return RedirectResponse("/dashboard", 303)


def _page(services: Services, request: Request, *, next: str, error: str, printed: bool) -> Response:
    words = words_of(request)
    body = (
        f'<main class="login"><div class="in">{mark(40)}<h1>Oh My Agent</h1>'
        f'<p class="lead">{escape(words.t("login.lead"))}</p>{_refused(words, error)}'
        f"{_ways_in(services, words, next=next, printed=printed)}"
        f"{_who(services, words)}</div></main><footer>{languages(words)}</footer>"
    )
    return document(request, words, title=words.t("login.title"), body=body)


def _ways_in(services: Services, words: Translations, *, next: str, printed: bool) -> str:
    methods = services.auth.sign_in_methods
    provider = _provider(services.settings, words, next=next) if "oidc" in methods else ""
    local = (
        _local(words, next=next, printed=printed, testid="sign-in-local" if provider else "sign-in")
        if "local" in methods
        else ""
    )
    return provider + local


def _provider(settings: Settings, words: Translations, *, next: str) -> str:
    google = settings.oidc_issuer == records.GOOGLE
    label = escape(words.t("login.google" if google else "login.provider"))
    picture = GOOGLE.read_text("utf-8") if google else '<i class="ic ic-key" aria-hidden="true"></i>'
    href = f"/auth/login{escape(_query(next))}"
    return f'<a class="btn go" data-testid="sign-in" href="{href}">{picture}<span>{label}</span></a>'


def _query(next: str) -> str:
    """Return the target after the sign-in as a query."""
    return "?" + urlencode({"next": next}) if next else ""


def _local(words: Translations, *, next: str, printed: bool, testid: str) -> str:
    label = escape(words.t("login.again" if printed else "login.local"))
    note = _note("ok", "check", "status", words.t("login.printed")) if printed else ""
    action = f"/auth/local/link{escape(_query(next))}"
    return (
        f'{note}<form method="post" action="{action}"><button class="btn go" data-testid="{testid}">'
        f'<i class="ic ic-term" aria-hidden="true"></i><span>{label}</span></button></form>'
    )


def _refused(words: Translations, code: str) -> str:
    return _note("bad", "alert", "alert", words.code("login.error", code, "other")) if code else ""


def _note(kind: str, glyph: str, role: str, text: str) -> str:
    return (
        f'<p class="note {kind}" role="{role}"><i class="ic ic-{glyph}" aria-hidden="true"></i>'
        f"<span>{escape(text)}</span></p>"
    )


def _who(services: Services, words: Translations) -> str:
    """The sentence that says who may sign in, if that is restricted."""
    settings = services.settings
    if "oidc" not in services.auth.sign_in_methods:
        text = escape(words.t("login.who_local"))
    elif EVERYBODY in settings.allowed_domains:
        return ""
    elif settings.allowed_domains:
        domains = ", ".join(f"<b>{escape(domain)}</b>" for domain in settings.allowed_domains)
        text = escape(words.t("login.who_domains")).replace("[domains]", domains)
    elif settings.allowed_emails:
        text = escape(words.t("login.who_invited"))
    else:
        return ""
    return f'<p class="who meta"><i class="ic ic-lock" aria-hidden="true"></i><span>{text}</span></p>'
