"""The command palette (Ctrl/⌘ K): search for agents, sessions and pages from anywhere."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from core.domain.records import Agent, Session, User
from core.services.agents import Agents
from core.services.overview import untouched
from core.services.search import Found, Search
from ui.layout.header import THEMES
from ui.layout.i18n import LOCALE_COOKIE, LOCALES, THEME_COOKIE, Translations
from ui.workspace.session_list import title_of

log = logging.getLogger("oma.pages")

LABELS: Final = "label hint none keys close".split()
MESSAGES: Final = 20
SESSIONS: Final = 300  # the newest; older ones are in their agent's own list
PLACES: Final = (("inbox", "inbox"), ("runs", "clock"), ("settings", "sliders"))
# The keys of the pages, each with what it does; `mod` is Ctrl or ⌘.
KEYS: Final = (
    ("mod K", "palette"), ("?", "keys"), ("N", "new_agent"), ("⏎", "send"), ("mod ⏎", "steer"), ("⇧ ⏎", "newline"),
    ("Esc", "stop"), ("/", "commands"), ("@", "files"), ("1 2 3", "answer"),
)  # fmt: skip


class Palette(Element, component="command_palette.js"):
    """The command palette of a page, created by the frame. It reads from the Store only when it is opened.

    `prefer(theme=…)` or `prefer(locale=…)` remembers a choice of the user.
    """

    def __init__(
        self,
        *,
        words: Translations,
        user: User,
        agents: Agents,
        search: Search,
        prefer: Callable[..., Awaitable[None]],
        fail: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._search = search
        self._words, self._user, self._agents, self._prefer, self._fail = words, user, agents, prefer, fail
        self.props["words"] = {label: words.t(f"palette.{label}") for label in LABELS}
        self.props["keys"] = [{"keys": keys.split(), "text": words.t(f"keys.{name}")} for keys, name in KEYS]
        self._acts: dict[str, Callable[[], Awaitable[None]]] = {
            "new": self._new_agent,
            **{f"theme-{name}": partial(self._choose, THEME_COOKIE, "theme", name) for name in THEMES},
            **{f"locale-{name}": partial(self._choose, LOCALE_COOKIE, "locale", name) for name in LOCALES},
        }
        self.on("open", self._opened, args=[])
        self.on("wanted", self._wanted)
        self.on("act", self._act)

    async def _act(self, event: GenericEventArguments) -> None:
        act = self._acts.get(str(event.args))
        try:
            if act:
                await act()
        except PlatformError as error:
            self._fail(error)

    async def _new_agent(self) -> None:
        """Go to the draft in which nothing was said yet, or else to a new one."""
        user = self._user.user_id
        found = (await self._agents.overview(user=user)).blank()
        agent, session = found or await self._agents.create(user=user, locale=self._words.locale)
        ui.navigate.to(f"/workspace/{quote(agent.id)}?session={quote(session.id)}")

    async def _choose(self, cookie: str, field: str, name: str) -> None:
        await self._prefer(**{field: name})
        # nosemgrep: built-javascript  # constants
        ui.run_javascript(f"oma.keep('{cookie}', '{name}'); location.reload()")

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
    places = [
        _row(f"/{path}", icon, words.t("runs.title" if path == "runs" else f"common.{path}"), "")
        for path, icon in PLACES
    ]
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
    return [*first, *places, *_actions(agents, names, words), *session_rows, *last]


def _actions(agents: list[Agent], names: dict[str, str], words: Translations) -> list[dict[str, Any]]:
    """The rows that do something: `act` is carried out, the others lead to where it is done."""
    ready = [agent for agent in agents if not (agent.archived or agent.draft)]
    return [
        _action("new", "add", words.t("palette.new_agent")),
        *(
            _row(f"/agents/{quote(one.id)}/run", "play", words.t("palette.run", name=names[one.id]), "")
            for one in ready
        ),
        *(
            _action(f"theme-{name}", "moon", words.t(f"common.theme_{name}"), words.t("common.theme"))
            for name in THEMES
        ),
        *(
            _action(f"locale-{name}", "web", words.t(f"common.language_{name}"), words.t("common.language"))
            for name in LOCALES
        ),
        _action("keys", "info", words.t("palette.keys")),
    ]


def _action(act: str, icon: str, text: str, note: str = "") -> dict[str, Any]:
    return {"href": "", "act": act, "icon": icon, "text": text, "note": note}


def _agent(agent: Agent, names: dict[str, str], words: Translations) -> dict[str, Any]:
    kind = "archived" if agent.archived else "draft" if agent.draft else ""
    note = words.t(f"head.{kind}") if kind else agent.description
    return _row(f"/workspace/{quote(agent.id)}", agent.icon, names[agent.id], note)


def _row(href: str, icon: str, text: str, note: str) -> dict[str, Any]:
    return {"href": href, "icon": icon, "text": text, "note": note}
