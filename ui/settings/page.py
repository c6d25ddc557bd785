"""`/settings`: profile, language and theme, logins, permission rules, secrets, export and deletion of the account."""

from core.domain.records import GOOGLE, LOCAL, User
from ui.agents.connections import Connections
from ui.layout import header
from ui.layout.html import tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.settings import account
from ui.settings.account import AccountSection
from ui.settings.devices import Devices
from ui.settings.menu import LinkSection, shows_model
from ui.settings.rules import RulesSection
from ui.settings.secrets import SecretsLink


def _profile(page: PageFrame) -> None:
    words, user = page.words, page.user
    with tag("section", classes="part", aria_labelledby="profile"):
        tag("h2", words.t("settings.profile"), id="profile")
        with tag("dl", classes="profile"):
            _fact(words.t("settings.name"), user.name or words.t("common.owner"))
            if user.email:
                _fact(words.t("settings.email"), user.email)
            _fact(words.t("settings.way_in"), _way_in(user, words))


def _fact(name: str, value: str) -> None:
    tag("dt", name)
    tag("dd", value)


def _way_in(user: User, words: Translations) -> str:
    if user.issuer == LOCAL:
        return words.t("settings.way_local")
    return words.t("settings.way_google") if user.issuer == GOOGLE else user.issuer


def _looks(page: PageFrame) -> None:
    words = page.words
    with tag("section", classes="part", aria_labelledby="looks"):
        tag("h2", words.t("settings.looks"), id="looks")
        with tag("div", classes="line"):
            tag("span", words.t("common.language"), classes="grow")
            header.languages(words, page.prefer)
        with tag("div", classes="line"):
            tag("span", words.t("common.theme"), classes="grow")
            header.themes(words, page.theme(), page.prefer)


def install(services: Services) -> None:
    """Serve the page and the archive."""
    account.install(services)

    @screen("/settings")
    async def settings() -> None:
        with frame(services, title="settings.title") as page:
            with tag("div", classes="page narrow settings"):
                tag("h1", page.words.t("settings.title"))
                _profile(page)
                _looks(page)
                if shows_model(page):
                    LinkSection(page, "model", "/settings/model")
                told = LinkSection(page, "notifications", "/settings/notifications")
                parts = (
                    Devices(page),
                    RulesSection(page),
                    Connections(page),
                    SecretsLink(page),
                    told,
                    AccountSection(page),
                )
                for part in parts:
                    await part.refresh()
