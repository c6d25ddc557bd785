"""The agent tab of the workspace's panel: the sections of the agent's page beside the conversation that builds it."""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from nicegui import background_tasks

from core.domain.events import AnyEvent
from ui.agents.draft_panel import DraftPanel
from ui.layout.html import tag
from ui.workspace.panel import PanelContext, TabKind


class DraftTab:
    """The tab in one open page."""

    def __init__(self, context: PanelContext) -> None:
        self._page, self._agent = context.page, context.agent.id
        self._panel: DraftPanel | None = None
        self._task: asyncio.Task[None] | None = None

    async def build(self) -> None:
        """Draw the sections, and follow what changes until the page is closed."""
        with tag("div", classes="draft-tab"):
            self._panel = DraftPanel(self._page, self._agent)
            words = self._page.words
            tag("a", words.t("agent.open_page"), classes="more", href=f"/agents/{quote(self._agent)}")
        await self._refresh()
        following = self._panel.follow(self._refresh)
        self._task = background_tasks.create(following, name="agent tab", context=self._page.client)
        self._page.client.on_delete(self._task.cancel)

    async def show(self, target: str) -> None:
        """The tab is in front now; its sections are up to date already."""

    def heard(self, events: Sequence[AnyEvent]) -> None:
        """Events of the session are news of the agent too, which the panel follows itself."""

    async def _refresh(self) -> None:
        if self._panel:
            await self._panel.refresh()


TAB: Final = TabKind(name="agent", label="agent.title", make=DraftTab)
