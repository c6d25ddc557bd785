"""The list of an agent's sessions by day with their states: switch, create, rename, delete."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.records import Agent, Session, now
from core.domain.states import SessionState
from ui.layout.i18n import Translations

LABELS: Final = "name new find rename delete cancel sure sure_text none title_label".split()
TELLING: Final = frozenset({SessionState.BUSY, SessionState.ASKING, SessionState.STARTING, SessionState.FAILED})


class SessionList(Element, component="session_list.js"):
    """Updates go to the browser by `show`, not through NiceGUI's element tree: they come while sessions stream."""

    def __init__(
        self,
        *,
        agent: Agent,
        current: str,
        sessions: list[Session],
        words: Translations,
        begin: Callable[[], Awaitable[None]],
        rename: Callable[[str, str], Awaitable[None]],
        remove: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._agent, self._current, self._words = agent, current, words
        self._begin, self._rename, self._remove = begin, rename, remove
        self._shown = rows(sessions, agent=agent, words=words)
        self.props["rows"] = self._shown
        self.props["current"] = current
        self.props["words"] = {label: words.t(f"sessions.{label}") for label in LABELS}
        self.on("begin", self._begun, args=[])
        self.on("rename", self._renamed)
        self.on("remove", self._removed)

    def show(self, sessions: list[Session], agent: Agent) -> None:
        """Show these sessions, if that changes any row."""
        self._agent = agent
        fresh = rows(sessions, agent=self._agent, words=self._words)
        if fresh != self._shown:
            self._shown = fresh
            self.run_method("show", fresh)

    async def _begun(self) -> None:
        await self._begin()

    async def _renamed(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, list) and len(event.args) == 2:
            await self._rename(str(event.args[0]), str(event.args[1]))

    async def _removed(self, event: GenericEventArguments) -> None:
        await self._remove(str(event.args))


def rows(sessions: list[Session], *, agent: Agent, words: Translations) -> list[dict[str, Any]]:
    """The rows: pinned sessions first, then by day, newest first."""
    found = [_row(session, agent=agent, words=words) for session in sessions]
    return sorted(found, key=lambda row: not row["pinned"])


def title_of(session: Session, words: Translations, *, agent: str = "") -> str:
    """The session's title. An untitled session, or a builder's that is called like its `agent`, gets a generic one."""
    if session.title and not (session.kind == "builder" and session.title == agent):
        return session.title
    return words.t("sessions.builder" if session.kind == "builder" else "sessions.untitled")


def _row(session: Session, *, agent: Agent, words: Translations) -> dict[str, Any]:
    title = title_of(session, words, agent=agent.name)
    state = session.shown_state
    telling = state in TELLING
    return {
        "id": session.id,
        "title": title,
        "state": state,
        "word": words.t(f"state.{state}"),
        "end": words.t(f"state.{state}") if telling else _stamp(session, words),
        "stamp": _stamp(session, words),
        "full": words.full(session.updated_at),
        "group": words.t("sessions.pinned") if session.pinned else _day(session, words),
        "pinned": session.pinned,
        "run": session.kind == "run",
        "href": f"/workspace/{quote(agent.id)}?session={quote(session.id)}",
        "more": words.t("sessions.more_of", title=title),
    }


def _age_days(session: Session, words: Translations) -> int:
    return (now().astimezone(words.zone).date() - session.updated_at.astimezone(words.zone).date()).days


def _day(session: Session, words: Translations) -> str:
    days = _age_days(session, words)
    key = "today" if days <= 0 else "yesterday" if days == 1 else "week" if days < 7 else "older"
    return words.t(f"sessions.{key}")


def _stamp(session: Session, words: Translations) -> str:
    return words.clock(session.updated_at) if _age_days(session, words) <= 1 else words.day(session.updated_at)
