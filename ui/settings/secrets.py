"""`/settings/secrets`: add, replace and delete secrets, and choose the agents that get them. Values are never shown."""

from functools import partial

from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput, NotFound, TooMuch, VaultUnavailable
from core.domain.records import Agent
from core.services.secrets import SecretInfo
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services

# The value goes from the field to the server and nowhere else: no element of the page knows it.
TYPED = (
    "(event) => { event.preventDefault(); "
    "emit([...event.currentTarget.querySelectorAll('.input')].map((field) => field.value)); }"
)
EMPTY = "document.querySelectorAll('.secret-new .input').forEach(i => { i.value = ''; })"


class SecretsLink:
    """The section of /settings with the link to the page."""

    def __init__(self, page: PageFrame) -> None:
        with tag("section", classes="part", aria_labelledby="secrets"):
            tag("h2", page.words.t("secrets.title"), id="secrets")
            tag("p", page.words.t("secrets.promise"), classes="meta")
            tag("a", page.words.t("secrets.open"), classes="btn", href="/settings/secrets", testid="to-secrets")

    async def refresh(self) -> None:
        """Nothing here changes."""


class SecretsPage:
    """The form for a new secret and the list below it; `refresh` reads the list again."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        words = page.words
        with tag("section", classes="part", aria_labelledby="add"):
            tag("h2", words.t("secrets.add"), id="add")
            with tag("form", classes="secret-new", autocomplete="off", testid="add-secret") as form:
                tag("label", words.t("secrets.name"), for_="secret-name", classes="meta")
                name = tag("input", classes="input mono", id="secret-name", autocomplete="off", spellcheck="false")
                name.attributes(maxlength=64, autocapitalize="characters", placeholder="SLACK_TOKEN", required=True)
                name.attributes(aria_describedby="secret-error secret-hint", testid="secret-name")
                tag("p", words.t("secrets.hint"), classes="meta", id="secret-hint")
                self._value("secret-value", words.t("secrets.value"))
                self._error = tag("p", classes="bad", id="secret-error", role="alert", testid="secret-error")
                tag("button", words.t("secrets.save"), classes="btn", type="submit", testid="save-secret")
            form.on("submit", self._add, js_handler=TYPED)
        with tag("section", classes="part", aria_labelledby="kept"):
            tag("h2", words.t("secrets.kept"), id="kept")
            self._rows = tag("ul", classes="rows")

    async def refresh(self) -> None:
        """Read again."""
        try:
            kept = await self._page.services.secrets.all(user=self._page.user_id)
        except VaultUnavailable:
            self._unreadable()
            return
        cards = await self._page.services.agents.cards(user=self._page.user_id)
        agents = [card.agent for card in cards if not card.agent.archived]
        self._rows.clear()
        with self._rows:
            for one in kept:
                self._row(one, agents)
            if not kept:
                with tag("li", classes="line"):
                    tag("span", self._page.words.t("secrets.none"), classes="meta", testid="no-secrets")

    def _unreadable(self) -> None:
        words = self._page.words
        self._rows.clear()
        with self._rows, tag("li", classes="line"):
            icon("alert", "bad")
            tag("span", words.t("error.vault_unavailable"), classes="grow", role="alert", testid="vault-away")
            again = tag("button", words.t("error.again"), classes="btn sm", type="button")
            again.on("click", self.refresh, args=[])

    def _row(self, one: SecretInfo, agents: list[Agent]) -> None:
        with tag("li", classes="secret", testid="secret").attributes(data_name=one.name):
            with tag("div", classes="line"):
                icon("key", "lg")
                with tag("div", classes="grow"):
                    tag("div", one.name, classes="b mono wrap")
                    tag("div", self._times(one), classes="meta", testid="secret-times")
            self._agent_access(one, agents)
            with tag("div", classes="row acts"):
                self._replace(one.name)
                self._delete(one)

    def _times(self, one: SecretInfo) -> str:
        words = self._page.words
        saved = words.t("secrets.saved_at", when=words.when(one.updated_at)) if one.updated_at else ""
        used = words.t("secrets.used_at", when=words.when(one.used_at)) if one.used_at else words.t("secrets.unused")
        return " · ".join(part for part in (saved, used) if part)

    def _agent_access(self, one: SecretInfo, agents: list[Agent]) -> None:
        words, having = self._page.words, {agent.id for agent in one.agents}
        if not agents:
            tag("p", words.t("connections.no_agents"), classes="meta")
            return
        with tag("div", classes="row access", role="group", aria_label=words.t("secrets.agents_of", name=one.name)):
            tag("span", words.t("secrets.agents"), classes="meta")
            for agent in agents:
                given = agent.id in having
                button = tag("button", classes="btn sm toggle", type="button", aria_pressed=str(given).lower())
                with button.attributes(testid="give", data_agent=agent.id):
                    icon("check" if given else "plus")
                    tag("span", agent.name or words.t("dashboard.untitled"), classes="cut")
                button.on("click", partial(self._set_access, one.name, agent, not given), args=[])

    def _replace(self, name: str) -> None:
        words = self._page.words
        with tag("details"):
            tag("summary", words.t("secrets.replace"), classes="btn sm", testid="replace").attributes(
                aria_label=words.t("secrets.replace_one", name=name)
            )
            with tag("form", autocomplete="off") as form:
                self._value(f"value-{name}", words.t("secrets.new_value", name=name))
                wrong = tag("p", classes="bad", role="alert")
                tag("button", words.t("secrets.save"), classes="btn", type="submit", testid="save-replaced")

            async def replaced(event: GenericEventArguments) -> None:
                wrong.set_text(await self._put(name, event.args[0]))

            form.on("submit", replaced, js_handler=TYPED)

    def _delete(self, one: SecretInfo) -> None:
        words = self._page.words
        with tag("details"):
            tag("summary", words.t("secrets.delete"), classes="btn sm", testid="delete-secret").attributes(
                aria_label=words.t("secrets.delete_one", name=one.name)
            )
            with tag("div", classes="sure"):
                tag("p", words.t("secrets.delete_will", n=len(one.agents)))
                gone = tag("button", words.t("secrets.delete_do"), classes="btn danger", type="button")
                gone.attributes(testid="delete-secret-do").on("click", partial(self._gone, one.name), args=[])

    def _value(self, id: str, label: str) -> None:
        """A text area that hides what is typed; it takes several lines, because keys have them."""
        tag("label", label, for_=id, classes="meta")
        field = tag("textarea", classes="input area mono hidden-text", id=id, rows=2, required=True)
        field.attributes(autocomplete="off", autocapitalize="off", autocorrect="off", spellcheck="false")
        field.attributes(testid="secret-value")

    # --- what a person does ------------------------------------------------------------------------------------------

    async def _add(self, event: GenericEventArguments) -> None:
        name, value = (str(part) for part in event.args[:2])
        wrong = await self._put(name.strip(), value)
        self._error.set_text(wrong)
        if not wrong:
            self._page.client.run_javascript(EMPTY)

    async def _put(self, name: str, value: str) -> str:
        """Store the secret. Returns the sentence that says what is wrong, or an empty string."""
        words = self._page.words
        try:
            new = await self._page.services.secrets.put(name, value.strip("\r\n"), user=self._page.user_id)
        except (BadInput, TooMuch, VaultUnavailable) as error:
            return words.code("error", error.code, "internal")
        await self.refresh()
        self._page.toasts.show(words.t("secrets.added" if new else "secrets.replaced", name=name))
        return ""

    async def _set_access(self, name: str, agent: Agent, given: bool) -> None:
        words, secrets = self._page.words, self._page.services.secrets
        try:
            await secrets.assign(name, agent.id, given, user=self._page.user_id)
        except NotFound:
            pass  # deleted in another tab: the list says so
        else:
            who = agent.name or words.t("dashboard.untitled")
            self._page.toasts.show(words.t("secrets.given" if given else "secrets.taken", agent=who, name=name))
        finally:
            await self.refresh()

    async def _gone(self, name: str) -> None:
        await self._page.services.secrets.delete(name, user=self._page.user_id)
        await self.refresh()
        self._page.toasts.show(self._page.words.t("secrets.deleted", name=name))


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/settings/secrets")
    async def secrets() -> None:
        with frame(services, title="secrets.title") as page:
            with tag("div", classes="page narrow settings"):
                with tag("a", classes="row back", href="/settings", testid="to-settings-page"):
                    icon("back")
                    tag("span", page.words.t("settings.title"), classes="cut")
                tag("h1", page.words.t("secrets.title"))
                tag("p", page.words.t("secrets.promise"), classes="meta")
                await SecretsPage(page).refresh()
