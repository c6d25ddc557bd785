"""The line above the transcript: agent, session, state, model, context, cost, and what can be done with the agent."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.records import Agent
from ui.agents.connections import path
from ui.layout.i18n import Translations
from ui.transcript.reducer import Meta

LABELS: Final = "sessions model context cost draft archived publish publish_why menu panel".split()
MENU: Final = "name rename archive restore delete deleting".split()


class WorkspaceHead(Element, component="header.js"):
    """State and facts come by `meta`, as to all that stands around the transcript; names by `show`."""

    def __init__(
        self,
        *,
        agent: Agent,
        title: str,
        meta: Meta,
        words: Translations,
        publish: Callable[[], Awaitable[None]],
        rename: Callable[[str], Awaitable[None]],
        archive: Callable[[bool], Awaitable[None]],
        deletion_question: Callable[[], Awaitable[dict[str, Any]]],
        delete: Callable[[], Awaitable[None]],
        panel: Callable[[GenericEventArguments], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._words, self._rename, self._archive = words, rename, archive
        self._deletion_question, self._delete = deletion_question, delete
        start: dict[str, Any] = msgspec.to_builtins(meta)
        self.props["first"] = self._names(agent, title)
        self.props["start"] = {key: start[key] for key in ("shown", "word", "facts")}
        own = {label: words.t(f"head.{label}") for label in LABELS}
        menu = {label: words.t(f"dashboard.{label}") for label in MENU}
        shared = {
            "connections": words.t("connections.title"),
            "mode": words.t("mode.title"),
            "page": words.t("agent.open_page"),
            "operate": words.t("schedules.title"),
            "cancel": words.t("common.cancel"),
            "agents": words.t("workspace.dashboard"),
            "find": words.t("palette.label"),
        }
        self.props["words"] = {**own, **menu, **shared}
        self.on("publish", publish, args=[])
        self.on("rename", self._renamed)
        self.on("archive", self._archived)
        self.on("ask", self._asked, args=[])
        self.on("remove", self._removed, args=[])
        self.on("panel", panel)

    def show(self, agent: Agent, title: str) -> None:
        """Agent or session are called otherwise now, or the agent is no draft any more."""
        self.run_method("show", self._names(agent, title))

    def show_panel(self, opened: bool) -> None:
        """The side panel is open now, or closed."""
        self.props["opened"] = opened
        self.update()

    def _names(self, agent: Agent, title: str) -> dict[str, Any]:
        return {
            "agent": agent.name or self._words.t("workspace.untitled"),
            "own": agent.name,
            "title": title,
            "draft": agent.draft and bool(agent.name),  # one without a name is nothing yet that could be published
            "archived": agent.archived,
            "connections": path(agent),
            "page": f"/agents/{agent.id}",
            "operate": f"/agents/{agent.id}/operate",
        }

    async def _renamed(self, event: GenericEventArguments) -> None:
        await self._rename(str(event.args))

    async def _archived(self, event: GenericEventArguments) -> None:
        await self._archive(bool(event.args))

    async def _asked(self) -> None:
        self.run_method("confirm", await self._deletion_question())

    async def _removed(self) -> None:
        try:
            await self._delete()
        finally:
            self.run_method("removed")
