"""The sections of one agent, kept up to date: the middle of its page, and a tab beside the conversation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from core.domain.errors import NotFound, Unavailable
from core.lib.pubsub import Lagging, Subscription
from core.protocol.runner_api import SessionChange
from ui.agents.sections.about import AboutSection
from ui.agents.sections.hosts import HostsSection
from ui.agents.sections.inputs import InputsSection
from ui.agents.sections.instructions import InstructionsSection
from ui.agents.sections.model import ModelSection
from ui.agents.sections.permissions import PermissionsSection
from ui.agents.sections.schedule import ScheduleSection
from ui.agents.sections.secrets import SecretsSection
from ui.agents.sections.section import Section
from ui.agents.sections.tests import TestsSection
from ui.agents.sections.versions import VersionsSection
from ui.agents.sections.wishes import WishesSection
from ui.agents.view import AgentView, read_view
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame

log = logging.getLogger("oma.pages")

SETTLE_S = 0.5  # between two reads while a session of the agent is at work; a changed record is read at once
SECTIONS: tuple[type[Section], ...] = (
    WishesSection,
    InstructionsSection,
    PermissionsSection,
    AboutSection,
    ModelSection,
    InputsSection,
    SecretsSection,
    HostsSection,
    ScheduleSection,
    TestsSection,
    VersionsSection,
)


class DraftPanel:
    """The sections of one agent, kept up to date; `refresh` reads again and shows what has changed."""

    def __init__(self, page: PageFrame, agent: str) -> None:
        self._page, self._agent = page, agent
        self.view: AgentView | None = None
        with tag("div", classes="draft", testid="draft-panel"):
            self.sections = [kind(page, agent, self.refresh) for kind in SECTIONS]

    async def refresh(self) -> None:
        """Raises: NotFound: the agent is gone. Unavailable."""
        self.view = await read_view(self._page, self._agent)
        for section in self.sections:
            section.show(self.view)

    async def _next_news(self, news: Subscription[SessionChange]) -> bool:
        """Wait for news about this agent; True if a record has changed, False if a session goes on."""
        while True:
            try:
                change = await anext(news)
            except Lagging:
                return True
            if not change.session:
                return True
            if change.agent == self._agent:
                return False

    async def follow(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Call `refresh` after each change of the agent, until cancelled."""
        async with self._page.services.conversations.changes(user=self._page.user_id) as news:
            while True:
                if not await self._next_news(news):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(SETTLE_S):
                            while not await self._next_news(news):
                                pass
                try:
                    await refresh()
                except NotFound:
                    self._page.client.open("/dashboard?gone")
                    return
                except Unavailable:
                    log.warning("an agent's sections could not be refreshed", exc_info=True)
