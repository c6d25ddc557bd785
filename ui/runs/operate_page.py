"""`/agents/{agent}/operate`: run it now, when it works by itself, and what it may do then."""

from functools import partial
from urllib.parse import quote

from nicegui import ui
from nicegui.events import GenericEventArguments

from core.domain.permission_rules import parse_rules
from core.domain.records import Agent, Unattended
from core.domain.runs import DRAFT
from core.domain.schedules import ITSELF, Trigger
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.list_page import state_mark
from ui.runs.schedule_form import VALUE, ScheduleForm
from ui.runs.sentences import spoken, why

HISTORY = 10
DEADLINES_S = (1800, 3600, 4 * 3600, 8 * 3600, 24 * 3600, 3 * 24 * 3600)
RULES_CHARS = 2000


class OperatePage:
    """An open page of an agent's operation."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent, self._input = page, agent, ""
        words = page.words
        with tag("div", classes="page narrow settings runs operate"):
            with tag("a", classes="row back", href=f"/workspace/{quote(agent.id)}", testid="to-workspace"):
                icon("back")
                tag("span", agent.name or words.t("dashboard.untitled"), classes="cut")
            tag("h1", words.t("schedules.title"))
            with tag("section", classes="part"):
                self._run_now()
            with tag("section", classes="part"):
                tag("h2", words.t("schedules.schedules"))
                self._triggers = tag("ul", classes="rows")
                with tag("details", classes="more"):
                    tag("summary", words.t("schedules.new"), classes="btn", testid="schedule-new")
                    ScheduleForm(page, agent.id, saved=self.refresh)
            self._policy_place = tag("section", classes="part")
            with tag("section", classes="part"):
                tag("h2", words.t("schedules.history"))
                self._history = tag("ul", classes="rows")
        with self._policy_place:
            self._policy()

    def _run_now(self) -> None:
        words = self._page.words
        tag("h2", words.t("schedules.run_now"))
        tag("label", words.t("schedules.field_input"), classes="meta", for_="run-input")
        text = tag("textarea", classes="input full", id="run-input", rows="2", maxlength="20000", testid="run-input")
        text.on("input", self._on_input, js_handler=VALUE)
        label = words.t("schedules.run_draft" if self._agent.draft else "schedules.run_now")
        start = tag("button", label, classes="btn primary", type="button", testid="run-now")
        start.on("click", self._start, args=[])

    def _on_input(self, event: GenericEventArguments) -> None:
        self._input = str(event.args)[:20_000]

    async def _start(self) -> None:
        version = DRAFT if self._agent.draft else 0
        run = await self._page.services.runs.start(
            self._agent.id, user=self._page.user_id, input=self._input, version=version
        )
        ui.navigate.to(f"/runs/{run.id}")

    async def refresh(self) -> None:
        """Read schedules and history again."""
        services, user, words = self._page.services, self._page.user_id, self._page.words
        triggers = await services.schedules.of_agent(self._agent.id, user=user)
        self._triggers.clear()
        with self._triggers:
            for trigger in triggers:
                self._trigger(trigger)
            if not triggers:
                with tag("li", classes="line"):
                    tag("span", words.t("schedules.none"), classes="meta")
        runs = await services.runs.page(user=user, agent=self._agent.id, limit=HISTORY)
        self._history.clear()
        with self._history:
            for run in runs:
                with tag("li", classes="line", testid="run-row", data_state=run.state):
                    state_mark(run.state, words.t(f"run_state.{run.state}"))
                    tag("a", run.result or why(run, words), classes="grow cut", href=f"/runs/{run.id}")
                    tag("span", words.when(run.at), classes="meta nowrap")
            if not runs:
                with tag("li", classes="line"):
                    tag("span", words.t("schedules.no_history"), classes="meta")

    def _trigger(self, trigger: Trigger) -> None:
        words, services = self._page.words, self._page.services
        with tag("li", classes="line", testid="trigger-row", data_enabled=str(trigger.enabled).lower()):
            with tag("div", classes="grow"):
                tag("div", f"{spoken(trigger.schedule, words)} · {trigger.schedule.timezone}", classes="b")
                times = services.schedules.upcoming(trigger, count=1)
                tag("div", self._state_of(trigger, words.full(times[0]) if times else ""), classes="meta")
            if trigger.enabled:
                self._button("pause", partial(self._pause, trigger.id))
            else:
                self._button("resume", partial(self._resume, trigger.id))
            self._button("delete", partial(self._delete, trigger.id))

    def _state_of(self, trigger: Trigger, at: str) -> str:
        words = self._page.words
        if trigger.enabled:
            return words.t("schedules.next_at", at=at) if at else words.t("schedules.over")
        when = words.when(trigger.paused_at) if trigger.paused_at else ""
        if trigger.paused_by == ITSELF:
            return words.t("schedules.paused_itself", when=when, n=trigger.pause_after)
        return words.t("schedules.paused", when=when) + (f" · {trigger.paused_why}" if trigger.paused_why else "")

    def _button(self, name: str, act: object) -> Tag:
        button = tag("button", self._page.words.t(f"schedules.{name}"), classes="btn sm", type="button")
        button.attributes(testid=f"trigger-{name}").on("click", act, args=[])  # type: ignore[arg-type]
        return button

    async def _pause(self, trigger: str) -> None:
        await self._page.services.schedules.pause(trigger, user=self._page.user_id)
        await self.refresh()

    async def _resume(self, trigger: str) -> None:
        await self._page.services.schedules.resume(trigger, user=self._page.user_id)
        await self.refresh()

    async def _delete(self, trigger: str) -> None:
        await self._page.services.schedules.delete(trigger, user=self._page.user_id)
        await self.refresh()

    # --- what it may do where nobody looks ----------------------------------------------------------------------------

    def _policy(self) -> None:
        words, policy = self._page.words, self._agent.unattended
        tag("h2", words.t("schedules.policy"))
        tag("p", words.t("schedules.policy_text"), classes="meta")
        tag("label", words.t("schedules.policy_allow"), classes="meta", for_="policy-allow")
        rules = tag("input", classes="input full mono", id="policy-allow", type="text", value=", ".join(policy.allow))
        rules.attributes(maxlength=str(RULES_CHARS)).on("change", self._on_rules, js_handler=VALUE)
        with tag("fieldset", classes="fr t"):
            tag("legend", words.t("schedules.policy_otherwise"), classes="l")
            with tag("div", classes="opts"):
                for choice in ("ask", "deny"):
                    with tag("label", classes="opt"):
                        one = tag("input", type="radio", value=choice, testid=f"otherwise-{choice}")
                        one.props["name"] = "otherwise"
                        one.attributes(checked="checked" if choice == policy.otherwise else None)
                        one.on("change", self._on_otherwise, js_handler=VALUE)
                        tag("span", words.t(f"schedules.policy_{choice}"))
        with tag("div", classes="fr"):
            tag("label", words.t("schedules.policy_deadline"), classes="l", for_="policy-deadline")
            with tag("select", classes="input", id="policy-deadline") as select:
                for seconds in sorted({*DEADLINES_S, policy.ask_deadline_s}):
                    option = tag("option", words.lasting(seconds), value=str(seconds))
                    option.attributes(selected="selected" if seconds == policy.ask_deadline_s else None)
            select.on("change", self._on_deadline, js_handler=VALUE)
        tag("p", words.t("schedules.policy_never_yes"), classes="meta")

    async def _on_rules(self, event: GenericEventArguments) -> None:
        text = str(event.args)[:RULES_CHARS].strip()
        await self._change(allow=parse_rules(text) if text else ())

    async def _on_otherwise(self, event: GenericEventArguments) -> None:
        await self._change(otherwise="deny" if event.args == "deny" else "ask")

    async def _on_deadline(self, event: GenericEventArguments) -> None:
        await self._change(ask_deadline_s=max(60, min(int(event.args), 30 * 24 * 3600)))

    async def _change(self, **fields: object) -> None:
        before = self._agent.unattended
        now = {name: getattr(before, name) for name in before.__struct_fields__} | fields
        self._agent = await self._page.services.agents.change(
            self._agent.id,
            user=self._page.user_id,
            unattended=Unattended(**now),
        )
        self._page.toasts.show(self._page.words.t("schedules.saved"), "ok")


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/agents/{agent_id}/operate")
    async def operate(agent_id: str) -> None:
        """Raises: NotFound: the agent is not there, or not this user's."""
        user = services.auth.current()
        agent = await services.agents.get(agent_id, user=user.id)
        with frame(services, title="schedules.title") as page:
            name = agent.name or page.words.t("dashboard.untitled")
            page.retitle(f"{page.words.t('schedules.title')} · {name}")
            shown = OperatePage(page, agent)
            await shown.refresh()
            page.on_change(shown.refresh)
