"""The command palette (Ctrl/⌘ K): search for agents, sessions and pages from anywhere."""

import logging
from typing import Any, Final
from urllib.parse import quote

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from core.domain.records import Agent, Session, User
from core.services.agents import Agents
from core.services.overview import untouched
from core.services.search import Found, Search
from ui.layout.i18n import Translations
from ui.workspace.session_list import title_of

log = logging.getLogger("oma.pages")

LABELS: Final = "label hint none".split()
MESSAGES: Final = 20
SESSIONS: Final = 300  # the newest; older ones are in their agent's own list
PLACES: Final = (("inbox", "inbox"), ("settings", "sliders"))


class Palette(Element, component="command_palette.js"):
    """The command palette of a page, created by the frame. It reads from the Store only when it is opened."""

    def __init__(self, *, words: Translations, user: User, agents: Agents, search: Search) -> None:
        super().__init__()
        self._words, self._user, self._agents, self._search = words, user, agents, search
        self.props["words"] = {label: words.t(f"palette.{label}") for label in LABELS}
        self.on("open", self._opened, args=[])
        self.on("wanted", self._wanted)

    async def _opened(self) -> None:
        found = await self._agents.index(user=self._user.user_id, sessions=SESSIONS)
        self.run_method("show", rows(*found, words=self._words))

    async def _wanted(self, event: GenericEventArguments) -> None:
        """Show the messages that have what was typed."""
        text = event.args if isinstance(event.args, str) else ""
        try:
            found = await self._search.find(text, user=self._user.user_id, limit=MESSAGES)
        except PlatformError as error:  # the names that are found without the Store stay
            log.info("the search failed: %s", error)
            return
        self.run_method("message", text, [_message(one, self._words) for one in found])


def _message(found: Found, words: Translations) -> dict[str, Any]:
    title = found.title or words.t("sessions.untitled")
    href = f"/workspace/{quote(found.agent)}?session={quote(found.session)}&at={found.seq}"
    return _row(href, "user" if found.by == "user" else "spark", found.excerpt, f"{title} · {words.day(found.at)}")


def rows(agents: list[Agent], sessions: list[Session], *, words: Translations) -> list[dict[str, Any]]:
    """The rows: agents, pages, sessions, each newest first, then archived agents."""
    names = {agent.id: agent.name or words.t("dashboard.untitled") for agent in agents}
    used = {one.agent for one in sessions if not untouched(one)}
    blank = {agent.id for agent in agents if agent.draft and not agent.name and agent.id not in used}
    sessions = [one for one in sessions if one.agent not in blank]
    first = [_agent(agent, names, words) for agent in agents if not agent.archived and agent.id not in blank]
    last = [_agent(agent, names, words) for agent in agents if agent.archived]
    places = [_row(f"/{path}", icon, words.t(f"common.{path}"), "") for path, icon in PLACES]
    session_rows = [
        _row(
            f"/workspace/{quote(one.agent)}?session={quote(one.id)}",
            "queue",
            title_of(one, words, agent=names[one.agent]),
            names[one.agent],
        )
        for one in sessions
        if one.agent in names
    ]
    return [*first, *places, *session_rows, *last]


def _agent(agent: Agent, names: dict[str, str], words: Translations) -> dict[str, Any]:
    kind = "archived" if agent.archived else "draft" if agent.draft else ""
    note = words.t(f"head.{kind}") if kind else agent.description
    return _row(f"/workspace/{quote(agent.id)}", agent.icon, names[agent.id], note)


def _row(href: str, icon: str, text: str, note: str) -> dict[str, Any]:
    return {"href": href, "icon": icon, "text": text, "note": note}
