"""Pages without a WebSocket: sign-in and errors. Visitors who are not signed in hold no connection open."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse

from ui import theme
from ui.layout.header import THEMES
from ui.layout.i18n import LOCALE_COOKIE, LOCALES, THEME_COOKIE, Translations, choose
from ui.layout.page_frame import NAME, head_values

POLICY = (  # stricter than that of NiceGUI's pages: no inline script, no eval, no connection
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def words_of(request: Request) -> Translations:
    """The translations for a visitor who is not signed in, chosen by cookies and Accept-Language."""
    return choose(cookies=request.cookies, accept=request.headers.get("accept-language", ""))


def mark(size: int) -> str:
    """The logo."""
    picture = theme.MARK.format(ground="var(--accent)", ink="var(--on-accent)")
    return f'<span class="mark mark-{size}" aria-hidden="true">{picture}</span>'


def document(request: Request, words: Translations, *, title: str, body: str, status: int = 200) -> HTMLResponse:
    """A whole page around `body`, which is HTML already."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    head = theme.head(head_values(words, chosen if chosen in THEMES else THEMES[0]))
    return HTMLResponse(
        f'<!doctype html><html lang="{words.locale}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">'
        f'<title>{escape(title)} · {NAME}</title><link rel="icon" href="{theme.FAVICON}">{head}</head>'
        f'<body class="plain">{body}</body></html>',
        status_code=status,
        headers={"Cache-Control": "no-store", "Content-Security-Policy": POLICY},
    )


def languages(words: Translations) -> str:
    """한국어 | English; boot.js keeps the choice and asks for the page again."""
    buttons = "".join(
        f'<button type="button" lang="{locale}" aria-pressed="{str(locale == words.locale).lower()}"'
        f' data-keep="{LOCALE_COOKIE}={locale}">{escape(words.t(f"common.language_{locale}"))}</button>'
        for locale in LOCALES
    )
    return f'<div class="seg" role="group" aria-label="{escape(words.t("common.language"))}">{buttons}</div>'
