"""`/agents/{agent}/connections`: which hosts an agent may reach, and which it has reached or tried to."""

from functools import partial
from urllib.parse import quote

from nicegui import ui

from core.domain.host_patterns import ANYWHERE
from core.domain.records import Agent
from ui.agents.connection_list import ConnectionList
from ui.agents.host_list import HostList
from ui.agents.permission_mode import PermissionMode
from ui.layout.html import icon, tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services

UNGUARDED = ("none", "landlock")  # isolation in which programs have the network of this machine
LOOK_S = 3.0  # between reads; the gateway writes connections every half second


class Connections:
    """The section of /settings with a link to each agent's page; `refresh` reads the agents again."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        with tag("section", classes="part", aria_labelledby="connections"):
            tag("h2", page.words.t("connections.title"), id="connections")
            tag("p", page.words.t("connections.promise"), classes="meta")
            self._rows = tag("ul", classes="rows")

    async def refresh(self) -> None:
        """Read again."""
        cards = await self._page.services.agents.cards(user=self._page.user_id)
        agents = [card.agent for card in cards if not card.agent.archived]
        self._rows.clear()
        with self._rows:
            for agent in agents:
                self._row(agent)
            if not agents:
                with tag("li", classes="line"):
                    tag("span", self._page.words.t("connections.no_agents"), classes="meta")

    def _row(self, agent: Agent) -> None:
        words = self._page.words
        name = agent.name or words.t("dashboard.untitled")
        with tag("li", classes="line", testid="reach"):
            with tag("div", classes="grow"):
                tag("div", name, classes="b cut")
                tag("div", summary(agent, words), classes="meta cut")
            label = words.t("connections.see_of", name=name)
            tag("a", words.t("connections.see"), classes="btn sm", href=path(agent), aria_label=label)


def path(agent: Agent) -> str:
    """The path of an agent's page."""
    return f"/agents/{quote(agent.id)}/connections"


def summary(agent: Agent, words: Translations) -> str:
    """The agent's network access in a few words."""
    if ANYWHERE in agent.egress:
        return words.t("connections.anywhere")
    return words.t("connections.hosts", n=len(agent.egress)) if agent.egress else words.t("connections.nowhere")


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/agents/{agent_id}/connections")
    async def connections(agent_id: str) -> None:
        """Raises: NotFound: the agent is not there, or not this user's."""
        user = services.auth.current()
        agent = await services.agents.get(agent_id, user=user.id)
        with frame(services, title="connections.title") as page:
            await _build(page, agent)


async def _build(page: PageFrame, agent: Agent) -> None:
    words = page.words
    name = agent.name or words.t("dashboard.untitled")
    page.retitle(f"{words.t('connections.title')} · {name}")
    with tag("div", classes="page narrow settings"):
        with tag("a", classes="row back", href=f"/workspace/{quote(agent.id)}", testid="to-workspace"):
            icon("back")
            tag("span", name, classes="cut")
        tag("h1", words.t("connections.title"))
        tag("p", words.t("connections.promise"), classes="meta")
        if page.services.isolation().name in UNGUARDED:
            tag("p", words.t("connections.not_kept"), classes="meta warn", testid="not-kept")
        mode = PermissionMode(page, agent)
        allowed = HostList(page, agent)
        log = ConnectionList(page, agent.id, allow=allowed.add)
        allowed.watch(mode.show)
        allowed.watch(log.show)
        log.show(agent)
        await log.refresh()
    ui.timer(LOOK_S, partial(_again, allowed, log))


async def _again(allowed: HostList, log: ConnectionList) -> None:
    """Show what has changed in the agent's box or in another tab."""
    await allowed.refresh()
    await log.refresh()
