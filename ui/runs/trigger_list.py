"""An agent's schedules: each with its next time, who paused it and why, and the form that changes it."""

from functools import partial

from nicegui.events import GenericEventArguments

from core.domain.records import Agent
from core.domain.schedules import ITSELF, Trigger
from ui.layout.html import Tag, tag
from ui.layout.page_frame import PageFrame
from ui.runs.schedule_form import ScheduleForm
from ui.runs.sentences import spoken

WHY = "event => emit(event.target.closest('.ask').querySelector('input').value)"
WHY_CHARS = 200


class TriggerList:
    """The section with an agent's schedules; `refresh` reads and draws them."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent
        words = page.words
        tag("h2", words.t("schedules.schedules"))
        self._list = tag("ul", classes="rows")
        self._seen: list[Trigger] | None = None
        with tag("details", classes="more"):
            tag("summary", words.t("schedules.new"), classes="btn", testid="schedule-new")
            ScheduleForm(page, agent, saved=self.refresh)

    async def refresh(self) -> None:
        """Read again, and draw if anything is otherwise: an open form stays as it is."""
        page = self._page
        triggers = await page.services.schedules.of_agent(self._agent.id, user=page.user_id)
        if triggers == self._seen:
            return
        self._seen = triggers
        self._list.clear()
        with self._list:
            for trigger in triggers:
                self._row(trigger)
            if not triggers:
                with tag("li", classes="line"):
                    tag("span", page.words.t("schedules.none"), classes="meta")

    def _row(self, trigger: Trigger) -> None:
        words = self._page.words
        times = self._page.services.schedules.upcoming(trigger, count=1)
        with tag("li", testid="trigger-row", data_enabled=str(trigger.enabled).lower(), data_trigger=trigger.id):
            with tag("div", classes="line"):
                with tag("div", classes="grow"):
                    tag("div", f"{spoken(trigger.schedule, words)} · {trigger.schedule.timezone}", classes="b")
                    tag("div", self._state_of(trigger, words.full(times[0]) if times else ""), classes="meta")
                if trigger.enabled:
                    self._pause(trigger)
                else:
                    self._button("resume", partial(self._resume, trigger.id))
                self._button("delete", partial(self._delete, trigger.id))
            with tag("details", classes="more edit") as more:
                tag("summary", words.t("schedules.edit"), classes="btn ghost sm", testid="trigger-edit")
                place = tag("div")
            more.on("toggle", partial(self._edit, trigger, place), args=[])

    def _edit(self, trigger: Trigger, place: Tag) -> None:
        """Draw the form when it is opened for the first time."""
        if not place.default_slot.children:
            with place:
                ScheduleForm(self._page, self._agent, saved=self.refresh, trigger=trigger)

    def _pause(self, trigger: Trigger) -> None:
        """A button that asks for the reason first; to give none is fine."""
        words = self._page.words
        with tag("details", classes="menu"):
            tag("summary", words.t("schedules.pause"), classes="btn sm", testid="trigger-pause")
            with tag("div", classes="pop end ask"):
                tag("label", words.t("schedules.pause_why"), classes="meta", for_=f"why-{trigger.id}")
                box = tag("input", classes="input full", id=f"why-{trigger.id}", type="text", maxlength=str(WHY_CHARS))
                box.attributes(testid="pause-why", autocomplete="off")
                sure = tag("button", words.t("schedules.pause"), classes="btn primary", type="button")
                sure.attributes(testid="pause-sure").on("click", partial(self._pause_it, trigger.id), js_handler=WHY)

    def _state_of(self, trigger: Trigger, at: str) -> str:
        words, user = self._page.words, self._page.user
        if trigger.enabled:
            return words.t("schedules.next_at", at=at) if at else words.t("schedules.over")
        when = words.when(trigger.paused_at) if trigger.paused_at else ""
        if trigger.paused_by == ITSELF:
            return words.t("schedules.paused_itself", when=when, n=trigger.pause_after)
        who = user.name or user.email or words.t("common.owner")
        text = words.t("schedules.paused", when=when, who=who if trigger.paused_by == user.id else trigger.paused_by)
        return f"{text} · {trigger.paused_why}" if trigger.paused_why else text

    def _button(self, name: str, act: object) -> Tag:
        button = tag("button", self._page.words.t(f"schedules.{name}"), classes="btn sm", type="button")
        button.attributes(testid=f"trigger-{name}").on("click", act, args=[])  # type: ignore[arg-type]
        return button

    async def _pause_it(self, trigger: str, event: GenericEventArguments) -> None:
        why = str(event.args or "")[:WHY_CHARS]
        await self._page.services.schedules.pause(trigger, user=self._page.user_id, why=why)
        await self.refresh()

    async def _resume(self, trigger: str) -> None:
        await self._page.services.schedules.resume(trigger, user=self._page.user_id)
        await self.refresh()

    async def _delete(self, trigger: str) -> None:
        await self._page.services.schedules.delete(trigger, user=self._page.user_id)
        await self.refresh()
