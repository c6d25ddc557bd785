"""`/agents/{agent}/operate`: run it now, when it works by itself, what it may do then, and what it may cost."""

from urllib.parse import quote

from nicegui import ui

from core.domain.records import Agent
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.agent_history import AgentHistory
from ui.runs.policy_form import PolicyForm
from ui.runs.run_form import RunForm
from ui.runs.trigger_list import TriggerList
from ui.usage.agent_limits import agent_limits

LOOK_S = 5.0  # what other webs and the gateway write is seen soon


class OperatePage:
    """An open page of an agent's operation."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent

    async def build(self) -> None:
        """Read, and draw everything."""
        page, agent = self._page, self._agent
        words = page.words
        with tag("div", classes="page narrow settings runs operate"):
            with tag("a", classes="row back", href=f"/workspace/{quote(agent.id)}", testid="to-workspace"):
                icon("back")
                tag("span", agent.name or words.t("dashboard.untitled"), classes="cut")
            tag("h1", words.t("schedules.title"))
            with tag("section", classes="part"):
                tag("h2", words.t("schedules.run_now"))
                RunForm(page, agent)
            with tag("section", classes="part"):
                self._triggers = TriggerList(page, agent)
            with tag("section", classes="part"):
                PolicyForm(page, agent)
            with tag("section", classes="part", aria_labelledby="limits"):
                await agent_limits(page, agent)
            with tag("section", classes="part"):
                self._history = AgentHistory(page, agent.id)
        await self.refresh()

    async def refresh(self) -> None:
        """Read schedules and history again."""
        await self._triggers.refresh()
        await self._history.refresh()


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
            await shown.build()
            page.on_change(shown.refresh)
            ui.timer(LOOK_S, shown.refresh)
