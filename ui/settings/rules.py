"""The permission rules that "always allow" added to agents, each with a button that removes it."""

from functools import partial

from core.domain.errors import NotFound
from core.domain.records import Agent
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame


class RulesSection:
    """The section of /settings; `refresh` reads the rules again."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        with tag("section", classes="part", aria_labelledby="rules"):
            tag("h2", page.words.t("settings.rules"), id="rules")
            tag("p", page.words.t("settings.rules_text"), classes="meta")
            self._body = tag("div")

    async def refresh(self) -> None:
        """Read again."""
        cards = await self._page.services.agents.cards(user=self._page.user_id)
        agents = [card.agent for card in cards if card.agent.rules]
        self._body.clear()
        with self._body:
            for agent in agents:
                self._agent(agent)
            if not agents:
                tag("p", self._page.words.t("settings.no_rules"), classes="meta nothing", testid="no-rules")

    def _agent(self, agent: Agent) -> None:
        words = self._page.words
        tag("h3", agent.name or words.t("dashboard.untitled"), classes="cut")
        with tag("ul", classes="rows"):
            for rule in agent.rules:
                with tag("li", classes="line", testid="rule"):
                    tag("code", rule, classes="grow")
                    label = words.t("settings.rule_remove_one", rule=rule)
                    button = tag("button", words.t("settings.rule_remove"), classes="btn sm", type="button")
                    button.attributes(aria_label=label, testid="rule-remove")
                    button.on("click", partial(self._remove, agent.id, rule), args=[])

    async def _remove(self, agent: str, rule: str) -> None:
        try:
            await self._page.services.agents.remove_rule(agent, rule, user=self._page.user_id)
        except NotFound:
            pass  # the agent was deleted meanwhile, and its rules with it
        finally:
            await self.refresh()
        self._page.toasts.show(self._page.words.t("settings.rule_removed"))
