"""The form of a schedule: plain words or a cron line, with the next five times while one types."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput
from core.domain.plain_schedules import from_cron, read, speak, to_cron
from core.domain.schedules import CatchUp, Overlap, Schedule
from ui.layout.html import tag
from ui.layout.i18n import Translations
from ui.layout.i18n import words as words_in
from ui.layout.page_frame import PageFrame

VALUE = "event => emit(event.target.value)"
CHOICES = {
    Overlap.SKIP: "schedules.overlap_skip",
    Overlap.QUEUE: "schedules.overlap_queue",
    Overlap.CANCEL_PREVIOUS: "schedules.overlap_cancel_previous",
    CatchUp.NONE: "schedules.catch_up_none",
    CatchUp.LAST: "schedules.catch_up_last",
    CatchUp.ALL: "schedules.catch_up_all",
}
EXAMPLES = ("0 9 * * 1-5", "0 * * * *", "0 9 1 * *")


class ScheduleForm:
    """The form of a schedule. It keeps the typed values; `save` creates the schedule."""

    def __init__(self, page: PageFrame, agent: str, *, saved: Callable[[], Awaitable[None]]) -> None:
        self._page, self._agent, self._saved = page, agent, saved
        self._zone = page.words.zone.key
        self._typed, self._input = speak_cron(EXAMPLES[0], page.words), ""
        self._overlap, self._catch_up = Overlap.SKIP, CatchUp.LAST
        words = page.words
        with tag("div", classes="form", testid="schedule-form"):
            with self._field("when"):
                box = tag("input", classes="input grow", id="f-when", type="text", value=self._typed, maxlength="120")
                box.attributes(testid="schedule-when", aria_describedby="f-when-help", autocomplete="off")
                box.on("input", self._on_when, js_handler=VALUE)
                tag("p", words.t("schedules.when_help"), classes="meta", id="f-when-help")
            with self._field("zone"):
                zone = tag("input", classes="input", id="f-zone", type="text", value=self._zone, maxlength="60")
                zone.on("input", self._on_zone, js_handler=VALUE)
            with tag("div", classes="fr"):
                tag("span", words.t("schedules.next"), classes="l")
                self._next = tag("div", testid="next-times", aria_live="polite")
            with self._field("input"):
                text = tag("textarea", classes="input full", id="f-input", rows="2", maxlength="20000")
                text.attributes(testid="schedule-input").on("input", self._on_input, js_handler=VALUE)
            self._choice("overlap", list(Overlap), self._overlap, self._on_overlap)
            self._choice("catch_up", list(CatchUp), self._catch_up, self._on_catch_up)
            save = tag("button", words.t("schedules.save"), classes="btn primary", type="button")
            save.attributes(testid="schedule-save").on("click", self._save, args=[])
        self._preview()

    def _field(self, name: str) -> Any:
        row = tag("div", classes="fr")
        with row:
            tag("label", self._page.words.t(f"schedules.field_{name}"), classes="l", for_=f"f-{name}")
        with row:
            return tag("div", classes="fl")

    def _choice(self, name: str, values: list[Any], chosen: Any, on: Callable[[GenericEventArguments], None]) -> None:
        words = self._page.words
        with tag("fieldset", classes="fr t"):
            tag("legend", words.t(f"schedules.field_{name}"), classes="l")
            with tag("div", classes="opts"):
                for value in values:
                    with tag("label", classes="opt"):
                        one = tag("input", type="radio", value=str(value))
                        one.props["name"] = name
                        one.attributes(checked="checked" if value is chosen else None)
                        one.on("change", on, js_handler=VALUE)
                        tag("span", words.t(CHOICES[value]))

    def _on_when(self, event: GenericEventArguments) -> None:
        self._typed = str(event.args)[:120]
        self._preview()

    def _on_zone(self, event: GenericEventArguments) -> None:
        self._zone = str(event.args)[:60].strip()
        self._preview()

    def _on_input(self, event: GenericEventArguments) -> None:
        self._input = str(event.args)[:20_000]

    def _on_overlap(self, event: GenericEventArguments) -> None:
        self._overlap = Overlap(str(event.args))

    def _on_catch_up(self, event: GenericEventArguments) -> None:
        self._catch_up = CatchUp(str(event.args))

    def _schedule(self) -> Schedule:
        plain = read(self._typed)
        return Schedule(cron=to_cron(plain) if plain else self._typed.strip(), timezone=self._zone)

    def _preview(self) -> None:
        """The next five times of what is typed, or why there are none."""
        words = self._page.words
        self._next.clear()
        with self._next:
            try:
                schedule = self._schedule()
                times = self._page.services.schedules.preview(schedule)
            except BadInput as error:
                tag("p", words.code("error", error.code, "bad_schedule"), classes="meta warn", role="status")
                return
            local = words_in(words.locale, schedule.timezone)
            with tag("ul", classes="next"):
                for at in times:
                    with tag("li"):
                        tag("b", local.full(at))
                        if local.clock(at) != words.clock(at):
                            tag("span", words.t("schedules.for_you", at=words.full(at)), classes="meta")
            tag("p", f"{speak_cron(schedule.cron, words)} · {schedule.cron}", classes="meta")

    async def _save(self) -> None:
        services, user = self._page.services, self._page.user_id
        await services.schedules.create(
            self._agent,
            self._schedule(),
            user=user,
            input=self._input,
            overlap=self._overlap,
            catch_up=self._catch_up,
        )
        self._page.toasts.show(self._page.words.t("schedules.saved"), "ok")
        await self._saved()


def speak_cron(cron: str, words: Translations) -> str:
    """A cron line in plain words, or itself."""
    plain = from_cron(cron)
    return speak(plain, words.locale) if plain else cron
