"""The header of a page: skip link, logo, search, inbox link, user menu."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from nicegui import ui
from nicegui.client import Client

from core.domain.records import Role, User
from ui.layout.html import Tag, icon, tag
from ui.layout.i18n import LOCALE_COOKIE, LOCALES, Translations
from ui.theme import MARK

Prefer = Callable[..., Awaitable[None]]
THEMES = ("system", "light", "dark")


@contextmanager
def top(client: Client, words: Translations, *, fill: bool) -> Iterator[None]:
    """The area above the page's `<main>`; it begins with the link that skips it."""
    client.layout.classes("shell fill" if fill else "shell")
    client.content.props["tabindex"] = "-1"
    with client.layout, tag("div", classes="top") as above:
        tag("a", words.t("common.skip"), classes="skip", href=f"#{client.content.html_id}")
        yield
    above.move(client.layout, 0)


def mark(size: int) -> ui.html:
    """The logo, in the theme's own colours."""
    picture = MARK.format(ground="var(--accent)", ink="var(--on-accent)")
    # nosemgrep: raw-html  # a picture of ours
    return ui.html(picture, sanitize=False, tag="span").classes(f"mark mark-{size}").props("aria-hidden=true")


def header(words: Translations, *, inbox: Callable[[], object], user: Callable[[], object]) -> None:
    """Logo and name, search; `inbox` and `user` add the link to the inbox and the user menu."""
    with tag("header", classes="head"):
        with tag("a", classes="row home", href="/dashboard"):
            mark(24)
            tag("span", "Oh My Agent", classes="name")
        search(words)
        tag("span", classes="grow")
        tag("a", words.t("runs.title"), classes="btn ghost hide-phone", href="/runs", testid="to-runs")
        inbox()
        user()


def search(words: Translations) -> None:
    """The button that opens the command palette; on a phone it is an icon."""
    label = words.t("palette.label")
    with tag(
        "button", classes="input quiet search", type="button", data_palette="1", aria_label=label, testid="search"
    ):
        icon("search")
        tag("span", label, classes="grow cut hide-phone")
        tag("kbd", classes="mod", aria_hidden="true")


def inbox_link(words: Translations, classes: str) -> tuple[Tag, Callable[[int], None]]:
    """The link to the inbox, and the function that shows a new count in it."""
    with tag("a", classes=f"{classes} inbox", href="/inbox", testid="inbox") as link:
        icon("inbox")
        tag("span", words.t("common.inbox"), classes="hide-phone")
        badge = tag("span", classes="count")

    def show(count: int) -> None:
        badge.set_text(str(count))
        badge.set_visibility(count > 0)
        link.attributes(aria_label=words.t("common.inbox_count", n=count) if count else words.t("common.inbox"))

    return link, show


def user_menu(words: Translations, user: User, *, theme: str, prefer: Prefer, classes: str = "") -> Tag:
    """The menu with name, language, theme and sign-out; it opens without the server."""
    name = user.name or user.email or words.t("common.owner")
    with tag("details", classes=f"menu {classes}".strip()) as menu:
        with tag(
            "summary", classes="btn ghost icon", aria_label=words.t("common.my_menu", name=name), testid="user-menu"
        ):
            tag("span", initial(name), classes="avatar", aria_hidden="true")
        with tag("div", classes="pop end"):
            with tag("div", classes="me"):
                tag("div", name, classes="b cut")
                if user.email and user.email != name:
                    tag("div", user.email, classes="tiny cut")
            with tag("div", classes="pick stay"):
                tag("span", words.t("common.language"), classes="meta")
                languages(words, prefer)
            with tag("div", classes="pick stay"):
                tag("span", words.t("common.theme"), classes="meta")
                themes(words, theme, prefer)
            with tag("a", classes="li", href="/runs"):
                icon("clock")
                tag("span", words.t("runs.title"))
            with tag("a", classes="li", href="/usage", testid="to-usage"):
                icon("won")
                tag("span", words.t("usage.title"))
            with tag("a", classes="li", href="/settings", testid="to-settings"):
                icon("sliders")
                tag("span", words.t("common.settings"))
            if user.role is Role.ADMIN:
                with tag("a", classes="li", href="/admin", testid="to-admin"):
                    icon("shield")
                    tag("span", words.t("common.admin"))
            with tag("form", method="post", action="/auth/logout", classes="leave"):
                with tag("button", classes="li", type="submit", testid="sign-out"):
                    icon("out")
                    tag("span", words.t("common.sign_out"))
    return menu


def initial(name: str) -> str:
    """Return a letter for a person's picture. For 김하늘 it is 하, because many people share a family name."""
    hangul = all("가" <= letter <= "힣" for letter in name)
    return name[1] if hangul and len(name) == 3 else name[:1].upper()


def languages(words: Translations, prefer: Prefer) -> Tag:
    """The choice 한국어 | English; the page is loaded again in the chosen language."""
    with tag("div", classes="seg", role="group", aria_label=words.t("common.language")) as group:
        for locale in LOCALES:
            one = _option(words.t(f"common.language_{locale}"), f"locale-{locale}", chosen=locale == words.locale)
            one.attributes(lang=locale).on("click", partial(_speak, locale, prefer), args=[])
    return group


async def _speak(locale: str, prefer: Prefer) -> None:
    await prefer(locale=locale)
    # nosemgrep: built-javascript  # one of LOCALES
    ui.run_javascript(f"oma.keep('{LOCALE_COOKIE}', '{locale}'); location.reload()")


def themes(words: Translations, chosen: str, prefer: Prefer) -> Tag:
    with tag("div", classes="seg", role="group", aria_label=words.t("common.theme")) as group:
        for theme in THEMES:
            one = _option(words.t(f"common.theme_{theme}"), f"theme-{theme}", chosen=theme == chosen)
            painted = (
                f"(event) => {{ oma.choose('{theme}', event.currentTarget); emit(); }}"  # at once, then remembered
            )
            one.on("click", partial(prefer, theme=theme), args=[], js_handler=painted)
    return group


def _option(text: str, testid: str, *, chosen: bool) -> Tag:
    return tag("button", text, type="button", testid=testid, aria_pressed=str(chosen).lower())
