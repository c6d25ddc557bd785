"""The form of what an agent may do where nobody looks: what it does unasked, and what becomes of all else."""

from nicegui.events import GenericEventArguments

from core.domain.permission_rules import parse_rules
from core.domain.records import Agent, Unattended
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame
from ui.runs.input_fields import VALUE

DEADLINES_S = (1800, 3600, 4 * 3600, 8 * 3600, 24 * 3600, 3 * 24 * 3600)
RULES_CHARS = 2000


class PolicyForm:
    """Draws the form into the element that is open; each change is saved at once."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent
        words, policy = page.words, agent.unattended
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
