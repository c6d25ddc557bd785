"""The form of a schedule: plain words or a cron line or one time, with the next five times while one types."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput
from core.domain.plain_schedules import from_cron, read, speak, to_cron
from core.domain.records import Agent
from core.domain.run_inputs import BadValue
from core.domain.schedules import MAX_JITTER_S, MAX_PAUSE_AFTER, PAUSE_AFTER, CatchUp, Overlap, Schedule, Trigger, zone
from ui.layout.html import Tag, tag
from ui.layout.i18n import Translations
from ui.layout.i18n import words as words_in
from ui.layout.page_frame import PageFrame
from ui.runs.input_fields import VALUE, InputFields

CHOICES = {
    Overlap.SKIP: "schedules.overlap_skip",
    Overlap.QUEUE: "schedules.overlap_queue",
    Overlap.CANCEL_PREVIOUS: "schedules.overlap_cancel_previous",
    CatchUp.NONE: "schedules.catch_up_none",
    CatchUp.LAST: "schedules.catch_up_last",
    CatchUp.ALL: "schedules.catch_up_all",
}
EXAMPLES = {
    "hourly": "0 * * * *",
    "daily": "0 9 * * *",
    "weekdays": "0 9 * * 1-5",
    "weekly": "0 9 * * 1",
    "monthly": "0 9 1 * *",
}
ONCE = "once"
JITTERS_S = (0, 60, 300, 600, 1800, MAX_JITTER_S)


class ScheduleForm:
    """The form of a schedule. It keeps the typed values; saving creates the schedule, or changes `trigger`."""

    def __init__(
        self, page: PageFrame, agent: Agent, *, saved: Callable[[], Awaitable[None]], trigger: Trigger | None = None
    ) -> None:
        self._page, self._agent, self._saved, self._trigger = page, agent, saved, trigger
        self._id = f"f-{trigger.id}" if trigger else "f"
        when = trigger.schedule if trigger else Schedule(cron=EXAMPLES["weekdays"], timezone=page.words.zone.key)
        self._zone, self._once = when.timezone, when.at is not None
        self._typed = speak_cron(when.cron, page.words) if when.cron else ""
        self._at = when.at.astimezone(zone(when.timezone)).strftime("%Y-%m-%dT%H:%M") if when.at else ""
        self._overlap = trigger.overlap if trigger else Overlap.SKIP
        self._catch_up = trigger.catch_up if trigger else CatchUp.LAST
        self._jitter_s = trigger.jitter_s if trigger else 0
        self._pause_after = trigger.pause_after if trigger else PAUSE_AFTER
        with tag("div", classes="form", testid="schedule-form"):
            self._when()
            with self._field("input") if not agent.inputs else tag("div", classes="given-inputs"):
                given = trigger.input if trigger else ""
                id = f"{self._id}-input"
                self._fields = InputFields(page.words, agent.inputs, id=id, testid="schedule-input", given=given)
            self._choice("overlap", list(Overlap), self._overlap, self._on_overlap)
            self._choice("catch_up", list(CatchUp), self._catch_up, self._on_catch_up)
            self._numbers()
            save = tag("button", page.words.t("schedules.save"), classes="btn primary", type="button")
            save.attributes(testid="schedule-save").on("click", self._save, args=[])
        self._preview()

    def _when(self) -> None:
        words = self._page.words
        with self._field("when", label_for=f"{self._id}-typed"):
            with tag("div", classes="seg kinds", role="group", aria_label=words.t("schedules.kinds")):
                for kind in (ONCE, *EXAMPLES):
                    one = tag("button", words.t(f"schedules.kind_{kind}"), type="button", testid=f"kind-{kind}")
                    one.on("click", lambda kind=kind: self._on_kind(kind), args=[])
            # as its text would be in a textarea: Vue sets `value` again with every change, over what is being typed
            self._box = tag("input", classes="input grow", id=f"{self._id}-typed", type="text", maxlength="120")
            self._box.attributes(value=self._typed, testid="schedule-when", autocomplete="off")
            self._box.attributes(aria_describedby=f"{self._id}-help").on("input", self._on_when, js_handler=VALUE)
            self._moment = tag("input", classes="input", type="datetime-local", value=self._at, testid="schedule-at")
            self._moment.attributes(aria_label=words.t("schedules.kind_once"))
            self._moment.on("input", self._on_at, js_handler=VALUE)
            tag("p", words.t("schedules.when_help"), classes="meta", id=f"{self._id}-help")
        with self._field("zone"):
            box = tag("input", classes="input", id=f"{self._id}-zone", type="text", value=self._zone, maxlength="60")
            box.on("input", self._on_zone, js_handler=VALUE)
        with tag("div", classes="fr"):
            tag("span", words.t("schedules.next"), classes="l")
            self._next = tag("div", testid="next-times", aria_live="polite")

    def _numbers(self) -> None:
        words = self._page.words
        with self._field("pause_after"):
            box = tag("input", classes="input short", id=f"{self._id}-pause_after", type="number", min="0", max="100")
            box.attributes(value=str(self._pause_after), testid="pause-after")
            box.on("input", self._on_pause_after, js_handler=VALUE)
            tag("span", words.t("schedules.pause_after_help"), classes="meta")
        with self._field("jitter"):
            with tag("select", classes="input", id=f"{self._id}-jitter", testid="jitter") as select:
                for seconds in sorted({*JITTERS_S, self._jitter_s}):
                    text = words.t("schedules.jitter_within", time=words.lasting(seconds))
                    option = tag("option", text if seconds else words.t("schedules.jitter_none"), value=str(seconds))
                    option.attributes(selected="selected" if seconds == self._jitter_s else None)
            select.on("change", self._on_jitter, js_handler=VALUE)
            tag("span", words.t("schedules.jitter_help"), classes="meta")

    def _field(self, name: str, *, label_for: str = "") -> Tag:
        row, text = tag("div", classes="fr"), self._page.words.t(f"schedules.field_{name}")
        with row:
            tag("label", text, classes="l", for_=label_for or f"{self._id}-{name}")
        with row:
            return tag("div", classes="fl")

    def _choice(self, name: str, values: list[Any], chosen: Any, on: Callable[[GenericEventArguments], None]) -> None:
        words = self._page.words
        with tag("fieldset", classes="fr t"):
            tag("legend", words.t(f"schedules.field_{name}"), classes="l")
            with tag("div", classes="opts"):
                for value in values:
                    with tag("label", classes="opt"):
                        one = tag("input", type="radio", value=str(value), testid=f"{name}-{value}")
                        one.props["name"] = f"{self._id}-{name}"
                        one.attributes(checked="checked" if value is chosen else None)
                        one.on("change", on, js_handler=VALUE)
                        tag("span", words.t(CHOICES[value]))

    # --- what is typed ------------------------------------------------------------------------------------------------

    def _on_kind(self, kind: str) -> None:
        self._once = kind == ONCE
        if not self._once:
            self._typed = speak_cron(EXAMPLES[kind], self._page.words)
            self._box.attributes(value=self._typed)
        self._preview()

    def _on_when(self, event: GenericEventArguments) -> None:
        self._typed = str(event.args)[:120]
        self._preview()

    def _on_at(self, event: GenericEventArguments) -> None:
        self._at = str(event.args)[:16]
        self._preview()

    def _on_zone(self, event: GenericEventArguments) -> None:
        self._zone = str(event.args)[:60].strip()
        self._preview()

    def _on_overlap(self, event: GenericEventArguments) -> None:
        self._overlap = Overlap(str(event.args))

    def _on_catch_up(self, event: GenericEventArguments) -> None:
        self._catch_up = CatchUp(str(event.args))

    def _on_jitter(self, event: GenericEventArguments) -> None:
        self._jitter_s = int(str(event.args))

    def _on_pause_after(self, event: GenericEventArguments) -> None:
        typed = str(event.args).strip()
        self._pause_after = min(MAX_PAUSE_AFTER, int(typed)) if typed.isdigit() else PAUSE_AFTER

    def _schedule(self) -> Schedule:
        """Return the schedule that is typed. Raises: BadInput: the time zone is none, or the moment is missing."""
        if self._once:
            try:
                at = datetime.strptime(self._at, "%Y-%m-%dT%H:%M").replace(tzinfo=zone(self._zone))
            except ValueError as error:
                raise BadInput("a schedule needs its time", code="no_time") from error
            return Schedule(at=at, timezone=self._zone)
        plain = read(self._typed)
        return Schedule(cron=to_cron(plain) if plain else self._typed.strip(), timezone=self._zone)

    def _preview(self) -> None:
        """Show the next five times of what is typed, or why there are none."""
        words = self._page.words
        self._box.set_visibility(not self._once)
        self._moment.set_visibility(self._once)
        self._next.clear()
        with self._next:
            try:
                schedule = self._schedule()
                times = self._page.services.schedules.preview(schedule)
                if not times:
                    raise BadInput("this time has passed", code="never_due")
            except BadInput as error:
                tag("p", words.code("error", error.code, "bad_schedule"), classes="meta warn", role="status")
                return
            next_times(words, schedule, times)

    async def _save(self) -> None:
        services, user = self._page.services, self._page.user_id
        try:
            given = self._fields.value()
        except BadValue as error:
            self._page.fail(error)
            return
        fields: dict[str, Any] = {
            "input": given, "overlap": self._overlap, "catch_up": self._catch_up, "jitter_s": self._jitter_s,
            "pause_after": self._pause_after,
        }  # fmt: skip
        if self._trigger:
            await services.schedules.change(self._trigger.id, user=user, schedule=self._schedule(), **fields)
        else:
            await services.schedules.create(self._agent.id, self._schedule(), user=user, **fields)
        self._page.toasts.show(self._page.words.t("schedules.saved"), "ok")
        await self._saved()


def next_times(words: Translations, schedule: Schedule, times: list[datetime]) -> None:
    """List due times in the schedule's zone, beside them the viewer's if it differs, and where the clock changes."""
    local = words_in(words.locale, schedule.timezone)
    offset = None
    with tag("ul", classes="next"):
        for at in times:
            with tag("li"):
                tag("b", local.full(at))
                if local.clock(at) != words.clock(at):
                    tag("span", words.t("schedules.for_you", at=words.full(at)), classes="meta")
                now_offset = at.astimezone(zone(schedule.timezone)).utcoffset()
                if offset is not None and now_offset != offset:
                    tag("span", words.t("schedules.clock_changes"), classes="meta")
                offset = now_offset
    if schedule.cron:
        tag("p", f"{speak_cron(schedule.cron, words)} · {schedule.cron}", classes="meta")


def speak_cron(cron: str, words: Translations) -> str:
    """A cron line in plain words, or itself."""
    plain = from_cron(cron)
    return speak(plain, words.locale) if plain else cron
