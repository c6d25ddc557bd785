"""The section that says in plain words what an agent does by itself, what it asks about, and what it does not do."""

from functools import partial

from core.domain.permission_policy import Mode, mode_of
from ui.agents.permission_mode import NAMES, PermissionMode
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import Tag, icon, tag


class PermissionsSection(Section):
    """Rules that "always allow" wrote stand here, each with a button that takes it back."""

    key = "permissions"
    open_at_first = True

    def summary(self, view: AgentView) -> str:
        mode = self.words.t(f"mode.{NAMES[mode_of(view.definition.permission_mode)]}")
        return f"{mode} · {self.words.t('agent.rules', n=len(view.definition.rules))}"

    def body(self, view: AgentView) -> None:
        words, definition = self.words, view.definition
        mode = mode_of(definition.permission_mode)
        does = [words.t(f"agent.does_{what}") for what in _by_itself(mode)]
        with self._row("check", "does"):
            for text in does:
                tag("li", text, classes="may-line")
            for rule in definition.rules:
                with tag("li", classes="may-line", testid="rule"):
                    tag("code", rule, classes="grow wrap")
                    remove = tag("button", words.t("settings.rule_remove"), classes="btn ghost sm", type="button")
                    remove.attributes(aria_label=words.t("settings.rule_remove_one", rule=rule), testid="rule-remove")
                    remove.on("click", partial(self._remove, rule), args=[])
            if not does and not definition.rules:
                tag("li", words.t("agent.does_nothing"), classes="may-line meta")
        if mode is Mode.LISTED:
            with self._row("x", "never"):
                tag("li", words.t("agent.never_rest"), classes="may-line")
        else:
            with self._row("shield", "asks"):
                tag(
                    "li",
                    words.t("agent.asks_edits" if mode is not Mode.EDITS else "agent.asks_outside"),
                    classes="may-line",
                )
                tag("li", words.t("agent.asks_rest"), classes="may-line")
        policy = definition.unattended
        with tag("p", classes="alone meta"):
            icon("clock")
            wait = words.lasting(policy.ask_deadline_s)
            tag("span", words.t(f"agent.alone_{policy.otherwise}", wait=wait))
        tag("a", words.t("agent.alone_edit"), classes="more", href=f"/agents/{self.agent}/operate")

    def form(self, view: AgentView) -> None:
        PermissionMode(self.page, view.agent)

    def _row(self, name: str, which: str) -> Tag:
        row = tag("div", classes="may", data_may=which)
        with row, tag("div", classes="w"):
            icon(name)
            tag("span", self.words.t(f"agent.may_{which}"))
        with row:
            return tag("ul")

    async def _remove(self, rule: str) -> None:
        await self.page.services.agents.remove_rule(self.agent, rule, user=self.page.user_id)
        self.page.toasts.show(self.words.t("settings.rule_removed"))
        await self.saved()


def _by_itself(mode: Mode) -> tuple[str, ...]:
    """The kinds of work that pass unasked in this mode, besides the rules."""
    return {Mode.EDITS: ("read", "edit"), Mode.ASK: ("look",), Mode.PLAN: ("read",), Mode.LISTED: ("read",)}[mode]
