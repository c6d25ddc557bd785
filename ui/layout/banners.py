"""The banners on top of every page: the announcement, missing isolation, the practice model.

On a phone one line of them is enough: the gravest, and a button that opens the others.
"""

from nicegui.client import Client

from ui.layout.html import Tag, icon, tag
from ui.layout.i18n import Translations
from ui.layout.services import Services


class Banners:
    """The banners of one page, the gravest first. An announcement comes and goes while the page is open."""

    def __init__(self, services: Services, words: Translations, client: Client) -> None:
        self._words = words
        self._shown: list[tuple[Tag, bool]] = []
        isolation = services.isolation()
        model = services.model
        self._may_connect = model is not None and model.may_change(services.auth.current())
        with tag("div", classes="banners") as self._place:
            if isolation.name in ("none", "landlock"):
                kind = "no_sandbox" if isolation.name == "none" else "reduced"
                why = words.code("banner.no_sandbox", isolation.code, "broken")
                self._shown.append((self._banner(kind, why, isolation.command), True))
            self._announced_at = len(self._shown)
            self._shown.append((self._announcement(), False))
            if services.provider == "practice":
                self._shown.append((self._banner("practice", "", "export ANTHROPIC_API_KEY=…\nmake run"), True))
            self._more = tag("button", classes="btn ghost sm plus", type="button", testid="more-banners")
        client.on_delete(services.announcements.watch(self._announce))

    def _announce(self, text: str) -> None:
        self._text.set_text(text)
        banner, _ = self._shown[self._announced_at]
        banner.set_visibility(bool(text))
        self._shown[self._announced_at] = banner, bool(text)
        self._arrange()

    def _arrange(self) -> None:
        """On a phone show only the first visible banner and how many more there are."""
        visible = [banner for banner, shown in self._shown if shown]
        for banner in visible:
            banner.attributes(data_rest=None if banner is visible[0] else "1")
        more = len(visible) - 1
        self._place.attributes(data_more=str(more) if more > 0 else None)
        self._more.set_text(f"+{more}")
        self._more.attributes(aria_label=self._words.t("banner.more", n=max(more, 1)))

    def _announcement(self) -> Tag:
        label = self._words.t("banner.announcement.name")
        with tag("aside", classes="banner", testid="banner", data_kind="announcement", aria_label=label) as banner:
            icon("info")
            self._text = tag("span", classes="grow")
        return banner

    def _banner(self, kind: str, why: str, mend: str) -> Tag:
        words, shown = self._words, kind.replace("_", "-")
        label = words.t(f"banner.{kind}.name")
        with tag("aside", classes="banner", testid="banner", data_kind=shown, aria_label=label) as banner:
            icon("info" if kind == "practice" else "alert")
            tag("span", words.t(f"banner.{kind}.text"), classes="grow hide-phone")
            tag("span", words.t(f"banner.{kind}.short"), classes="grow only-phone")
            with tag("details", classes="menu"):
                tag("summary", words.t(f"banner.{kind}.mend"), classes="btn ghost sm")
                with tag("div", classes="pop how stay"):
                    tag("p", words.t(f"banner.{kind}.text"), classes="meta only-phone")
                    if kind == "practice" and self._may_connect:
                        tag("a", words.t("model.to_settings"), classes="btn", href="/settings/model", testid="to-model")
                    if why:
                        tag("p", why, classes="meta")
                    if mend:
                        tag("p", words.t(f"banner.{kind}.how"), classes="meta")
                        tag("pre", mend, classes="code")
        return banner
