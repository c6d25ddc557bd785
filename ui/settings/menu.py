"""The frame of a settings page: the menu of all of them beside it, on a phone a way back instead."""

from collections.abc import Iterator
from contextlib import contextmanager

from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame

# name, icon, address; the name completes `settings_menu.<name>`
ENTRIES = (
    ("profile", "user", "/settings"),
    ("model", "plug", "/settings/model"),
    ("secrets", "key", "/settings/secrets"),
    ("notifications", "bell", "/settings/notifications"),
    ("devices", "device", "/settings#devices"),
    ("looks", "globe", "/settings#looks"),
    ("data", "download", "/settings#export"),
)


@contextmanager
def settings_page(page: PageFrame, current: str, title: str) -> Iterator[None]:
    """The place for a page's sections, below its heading; `title` is a sentence."""
    words = page.words
    with tag("div", classes="settings-cols"):
        with tag("nav", classes="settings-menu hide-phone", aria_label=words.t("settings.title")):
            for name, glyph, href in ENTRIES:
                if name == "model" and not shows_model(page):
                    continue
                with tag("a", href=href, aria_current="page" if name == current else None):
                    icon(glyph)
                    tag("span", words.t(f"settings_menu.{name}"))
        with tag("div", classes="settings-main settings"):
            with tag("a", classes="row back only-phone", href="/settings", testid="to-settings-page"):
                icon("back")
                tag("span", words.t("settings.title"), classes="cut")
            tag("h1", title)
            yield


def shows_model(page: PageFrame) -> bool:
    """Return whether the user of this page may see the model connection."""
    model = page.services.model
    return model is not None and model.may_change(page.user)


class LinkSection:
    """A section of /settings that leads to a page of its own."""

    def __init__(self, page: PageFrame, name: str, href: str) -> None:
        words = page.words
        with tag("section", classes="part", aria_labelledby=name):
            tag("h2", words.t(f"settings_menu.{name}"), id=name)
            tag("p", words.t(f"settings_link.{name}"), classes="meta")
            tag("a", words.t("settings_link.open"), classes="btn", href=href, testid=f"to-{name}")

    async def refresh(self) -> None:
        """Nothing here changes."""
