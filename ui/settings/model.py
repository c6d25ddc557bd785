"""`/settings/model`: the connection to the model, tried before it is used. A key is never shown again."""

from typing import Any

from nicegui.events import GenericEventArguments

from core.config.settings import NONE, Secret
from core.domain.errors import BadInput, NotFound, Unavailable
from core.domain.events import PRACTICE
from core.domain.model_connection import Verdict
from core.services.model_connection import ModelConnections
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.settings.menu import settings_page

# What is typed goes from the fields to the server and nowhere else: no element of the page knows it.
TYPED = (
    "(event) => { event.preventDefault(); "
    "emit([...event.currentTarget.querySelectorAll('.input')].map((field) => field.value)); }"
)
EMPTY = "document.querySelectorAll('.model-key .input').forEach(i => { i.value = ''; })"
REGIONS = ("global", "us-east5", "europe-west1", "asia-southeast1")


class ModelPage:
    """One open page. A key that was tried is kept here until it is used or another one is tried."""

    def __init__(self, page: PageFrame, model: ModelConnections) -> None:
        self._page, self._model, self._tried = page, model, NONE
        self._vertex = ("", "")
        words = page.words
        tag("p", words.t("model.text"), classes="meta")
        with tag("div", classes="row model-lead"):
            self._lead = tag("div", classes="row grow")
            self._again = tag("button", words.t("model.check"), classes="btn sm", type="button", testid="check-model")
            self._again.on("click", self._check, args=[])
        self._lead_probe = tag("div")
        with tag("section", classes="part", aria_labelledby="key"):
            tag("h2", words.t("model.anthropic"), id="key")
            with tag("form", classes="secret-new model-key", autocomplete="off") as form:
                tag("label", words.t("model.new_key"), classes="meta", for_="model-key")
                field = tag("input", classes="input mono hidden-text", id="model-key", type="text", testid="model-key")
                field.attributes(autocomplete="off", spellcheck="false", maxlength=300, required=True)
                tag("p", words.t("model.key_promise"), classes="meta")
                tag("button", words.t("model.try"), classes="btn", type="submit", testid="try-key")
            form.on("submit", self._try_key, js_handler=TYPED)
            self._key_probe = tag("div")
        with tag("section", classes="part", aria_labelledby="vertex"):
            tag("h2", words.t("model.vertex"), id="vertex")
            tag("p", words.t("model.vertex_text"), classes="meta")
            with tag("form", classes="secret-new", autocomplete="off") as form:
                self._field("project", required=True, maxlength=100, value=model.settings.vertex_project)
                self._field("region", required=True, maxlength=40, value=model.settings.vertex_region or REGIONS[0])
                tag("button", words.t("model.try"), classes="btn", type="submit", testid="try-vertex")
            form.on("submit", self._try_vertex, js_handler=TYPED)
            self._vertex_probe = tag("div")
        self._reset_place = tag("section", classes="part", aria_labelledby="model-reset")
        self.refresh()

    def _field(self, name: str, **attributes: Any) -> None:
        tag("label", self._page.words.t(f"model.{name}"), classes="meta", for_=f"model-{name}")
        tag("input", classes="input", id=f"model-{name}", type="text", autocomplete="off", **attributes)

    def refresh(self) -> None:
        """Show the connection in force."""
        words, chosen = self._page.words, self._model.connection
        self._lead.clear()
        with self._lead:
            tag("b", words.t(f"model.is_{self._model.provider}"), testid="model-provider")
            if chosen and chosen.key_tail:
                tag("span", f"…{chosen.key_tail}", classes="mono")
            when = words.t("model.chosen_at", when=words.when(chosen.changed_at)) if chosen else words.t("model.by_env")
            tag("span", when, classes="meta")
        self._again.set_visibility(self._model.provider != PRACTICE)
        self._reset_place.clear()
        self._reset_place.set_visibility(chosen is not None)
        with self._reset_place:
            tag("h2", words.t("model.reset"), id="model-reset")
            tag("p", words.t("model.reset_text"), classes="meta")
            back = tag("button", words.t("model.reset_do"), classes="btn", type="button", testid="reset-model")
            back.on("click", self._reset, args=[])

    async def _check(self) -> None:
        self._show(self._lead_probe, await self._model.check(user=self._page.user))

    async def _try_key(self, event: GenericEventArguments) -> None:
        key, self._tried = Secret(str(event.args[0])), NONE
        self._page.client.run_javascript(EMPTY)
        try:
            verdict = await self._model.try_key(key, user=self._page.user)
        except BadInput as error:
            self._wrong(self._key_probe, error)
            return
        self._tried = key if verdict.good else NONE
        self._show(self._key_probe, verdict, use=self._use_key)

    async def _try_vertex(self, event: GenericEventArguments) -> None:
        project, region = (str(value).strip() for value in event.args[:2])
        try:
            verdict = await self._model.try_vertex(project, region, user=self._page.user)
        except BadInput as error:
            self._wrong(self._vertex_probe, error)
            return
        self._vertex = (project, region)
        self._show(self._vertex_probe, verdict, use=self._use_vertex)

    async def _use_key(self) -> None:
        if self._tried:
            await self._used(self._model.use_key(self._tried, user=self._page.user), self._key_probe)
            self._tried = NONE

    async def _use_vertex(self) -> None:
        project, region = self._vertex
        await self._used(self._model.use_vertex(project, region, user=self._page.user), self._vertex_probe)

    async def _used(self, change: object, place: Tag) -> None:
        try:
            await change  # type: ignore[misc]  # a coroutine of the use cases
        except (BadInput, Unavailable) as error:
            self._wrong(place, error)
            return
        place.clear()
        self.refresh()
        self._page.toasts.show(self._page.words.t("model.used"), "ok")

    async def _reset(self) -> None:
        await self._model.reset(user=self._page.user)
        self.refresh()
        self._page.toasts.show(self._page.words.t("model.was_reset"), "ok")

    def _wrong(self, place: Tag, error: BadInput | Unavailable) -> None:
        place.clear()
        with place:
            tag("p", self._page.words.code("error", error.code, "bad_input"), classes="bad", role="alert")

    def _show(self, place: Tag, verdict: Verdict, *, use: object = None) -> None:
        words = self._page.words
        place.clear()
        with place, tag("div", classes="probe", testid="probe", data_state=verdict.code, role="status"):
            with tag("div", classes="row"):
                icon("check" if verdict.good else "x", "ok" if verdict.good else "bad")
                tag("b", words.t(f"model.verdict_{verdict.code}"), classes="grow")
                tag("span", words.lasting(verdict.seconds), classes="meta")
            status = f" · HTTP {verdict.status}" if verdict.status else ""
            tag("p", words.t(f"model.verdict_{verdict.code}_text") + status, classes="meta")
            if verdict.good and use:
                with tag("div", classes="row"):
                    button = tag("button", words.t("model.use"), classes="btn primary", type="button")
                    button.attributes(testid="use-model").on("click", use, args=[])  # type: ignore[arg-type]
                    tag("span", words.t("model.use_text"), classes="meta")


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/settings/model")
    async def model() -> None:
        connections, user = services.model, services.auth.current()
        if connections is None or not connections.may_change(user):
            raise NotFound("no such page")
        with (
            frame(services, title="model.title") as page,
            settings_page(page, "model", page.words.t("model.title")),
            tag("div", testid="model-connection"),
        ):
            ModelPage(page, connections)
