"""`/workspace/{agent}`: the sessions of one agent and the conversation of one of them."""

import asyncio
import json
import logging
from functools import partial
from typing import Any, Final, cast
from urllib.parse import quote

from nicegui import background_tasks, ui

from core.domain.errors import NotFound, PlatformError
from core.domain.events import PRACTICE, AnyEvent, UserSaid
from core.domain.records import Agent, Session, UserId
from ui.agents.actions import AgentActions
from ui.layout.header import mark
from ui.layout.html import Tag, tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.transcript.reducer import Meta, TranscriptReducer
from ui.transcript.session_stats import SessionStats
from ui.transcript.shared_view import SharedView, SharedViews, ViewCursor
from ui.transcript.transcript import Transcript
from ui.workspace.branching import Branching
from ui.workspace.dock import Dock
from ui.workspace.greeting import welcome
from ui.workspace.handover import summary
from ui.workspace.header import WorkspaceHead
from ui.workspace.initial_session import address, opening, place_to_begin
from ui.workspace.panel import Panel
from ui.workspace.panel_tabs import TABS
from ui.workspace.session_list import SessionList, title_of

log = logging.getLogger("oma.pages")

PATIENCE_S: Final = 2.0  # the build of the page waits so long for history; later history is pushed


def install(services: Services) -> None:
    """Register the page."""
    views = SharedViews()

    @screen("/workspace/{agent_id}")
    async def workspace(agent_id: str, session: str = "", at: int = 0) -> None:
        """Raises: NotFound: the agent or session is not there, or not this user's."""
        user = services.auth.current()
        if not session and not await services.agents.sessions(agent_id, user=user.id):
            agent = await services.agents.get(agent_id, user=user.id)
            with frame(services, title="workspace.title") as page:
                opening(page, agent)
            return
        with frame(services, title="workspace.title", bare=True, fill=True) as page:
            await page.read(partial(services.agents.overview_of, agent_id, user=user.id))
            found, here = page.overview.agent(agent_id), _chosen(page.overview.sessions_of(agent_id), session)
            if found is None:
                raise NotFound(f"agent {agent_id}")
            chat = WorkspaceChat(page, views, agent=found, session=here)
            await chat.build()
            chat.begin_at(at)
            if not session:
                ui.navigate.history.replace(address(here))


def _chosen(sessions: list[Session], wanted: str) -> Session:
    """The session asked for, else the newest one. Raises: NotFound."""
    found = next((one for one in sessions if not wanted or one.id == wanted), None)
    if found is None:
        raise NotFound(f"session {wanted}")
    return found


class WorkspaceChat:
    """An open workspace page."""

    def __init__(self, page: PageFrame, views: SharedViews, *, agent: Agent, session: Session) -> None:
        self._page, self._views = page, views
        self._agent, self._session = agent, session
        self._agents, self._conversations = page.services.agents, page.services.conversations
        self._user: UserId = page.user.id
        self._words = page.words
        self._actions = AgentActions(page)
        self._warmed = self._jumped = False

    async def build(self) -> None:
        """Build the page; the stored history does not wait for the runner."""
        cursor = self._subscribe()
        page, id = self._page, self._session.id
        page.client.on_delete(lambda: self._views.leave(cursor))
        try:
            await asyncio.wait_for(cursor.view.arrived.wait(), PATIENCE_S)
        except TimeoutError:
            log.warning("history of %s is late", id)
        page.retitle(self._page_title())
        with tag("div", classes="workspace") as workspace:
            with tag("aside", classes="side"):
                self._side()
            with tag("section", classes="mid"):
                self._mid(cursor)
            await self._add_panel(workspace, cursor)
        page.on_change(self._show)
        page.client.on_connect(self._warm)

    async def _add_panel(self, workspace: Tag, cursor: ViewCursor) -> None:
        self._panel = Panel(
            self._page,
            TABS,
            workspace=workspace,
            view=cursor.view,
            agent=self._agent,
            session=self._session,
            opened=self._head.show_panel,
        )
        await self._panel.restore()

    def _subscribe(self) -> ViewCursor:
        session, user = self._session, self._user

        def make() -> SharedView:
            follow = partial(self._conversations.follow, session.id, user=user)
            known = _known(session, practice=self._page.services.provider == PRACTICE)
            return SharedView(
                follow=cast("Any", follow), make_reducer=lambda render: _reducer(session, known, self._words, render)
            )

        def start(screen: SharedView) -> "asyncio.Task[None]":
            return background_tasks.create(_run(screen, session.id), name="screen")

        return self._views.subscribe(session.id, self._words, make, start)

    def _side(self) -> None:
        with tag("div", classes="head"):
            with tag("a", href="/dashboard", classes="row home-mark"):
                mark(22)
                tag("span", self._words.t("workspace.dashboard"), classes="cut")
            tag("span", classes="grow")
            self._page.inbox_link("btn ghost sm")
        self._name = tag("div", self._agent_name(), classes="agent-name b cut")
        self._list = SessionList(
            agent=self._agent,
            current=self._session.id,
            sessions=self._page.overview.sessions_of(self._agent.id),
            words=self._words,
            begin=self._begin,
            rename=self._rename,
            remove=self._remove,
        )
        with tag("div", classes="foot"):
            self._page.user_menu("up")
            user = self._page.user
            tag("span", user.name or user.email or self._words.t("common.owner"), classes="cut grow")

    def _add_head(self, meta: Meta) -> None:
        self._head = WorkspaceHead(
            agent=self._agent,
            title=title_of(self._session, self._words),
            meta=meta,
            words=self._words,
            publish=self._publish,
            rename=partial(self._actions.rename, self._agent.id),
            archive=partial(self._actions.archive, self._agent.id),
            deletion_question=partial(self._actions.deletion_question, self._agent.id),
            delete=partial(self._actions.delete, self._agent.id),
            panel=lambda event: self._panel.toggle(event),
        )

    def _mid(self, cursor: ViewCursor) -> None:
        words, id, user, meta = self._words, self._session.id, self._user, cursor.view.meta
        self._add_head(meta)
        transcript_place = tag("div", classes="place")
        self._dock = Dock(self._page, agent=self._agent, session=self._session, meta=meta, wake=self._wake)
        with transcript_place:
            self._transcript = Transcript(
                cursor,
                words=words,
                older=self._older,
                again=self._retry,
                queue=partial(self._conversations.change_queue, id, user=user),
                handover=self._hand_over,
                fail=self._page.fail,
                listeners=[self._head, self._list, *self._dock.listeners],
                hello=welcome(self._agent, self._session, words, self._branched_from()),
            )
            self._transcript.open_files(self._open_file)
            branching = Branching(self._page, self._session)
            self._transcript.branches(branching.branch, branching.edit)

    def begin_at(self, seq: int) -> None:
        """Show the message with this number first, as a link of the search asks; 0: the end."""

        async def jump() -> None:
            if not self._jumped:
                self._jumped = True
                await self._transcript.jump(seq)

        if seq > 0:
            self._page.client.on_connect(jump)

    def _branched_from(self) -> str:
        """The title of the session that this one branched from; empty: from none, or from one that is gone."""
        origin = self._page.overview.session(self._session.branch_of) if self._session.branch_of else None
        return title_of(origin, self._words) if origin else ""

    async def _open_file(self, name: str) -> None:
        """Open a file that the agent has named; a place in it (`#L3`) is left out."""
        await self._panel.open("files", name.partition("#")[0].removeprefix("./"))

    async def _retry(self, said: UserSaid, after: int) -> int:
        return await self._conversations.retry(self._session.id, said, user=self._user, after=after)

    async def _hand_over(self) -> None:
        """Open a new session whose draft says what this one was about."""
        try:
            last = (await self._agents.session(self._session.id, user=self._user)).last_seq
            events = await self._older(last + 1)
            made = await place_to_begin(self._page, self._agent)
        except PlatformError as error:
            self._page.fail(error)
            return
        key = f"oma:draft:{self._user}:{made.id}"
        draft = json.dumps(json.dumps(summary(events, self._words)))
        # nosemgrep: built-javascript  # as JSON
        ui.run_javascript(
            f"localStorage.setItem({json.dumps(key)},{draft});location.assign({json.dumps(address(made))})"
        )

    async def _older(self, before: int) -> list[AnyEvent]:
        return await self._conversations.older(self._session.id, user=self._user, before=before)

    async def _warm(self) -> None:
        """Start the CLI, so that the first message does not wait for it; the state shows whether that works.

        Only once somebody has the page open: the request for it alone starts nothing. Not at each coming back of
        its socket either: a tab that nobody looks at must not wake what has gone to sleep.
        """
        if not self._warmed:
            self._warmed = True
            await self._wake()

    async def _wake(self) -> None:
        try:
            await self._conversations.warm(self._session.id, user=self._user)
        except PlatformError as error:
            log.info("session %s is not warm: %s", self._session.id, error)

    async def _show(self) -> None:
        """Show what the overview says now."""
        overview, here = self._page.overview, self._page.overview.session(self._session.id)
        agent = overview.agent(self._agent.id)
        if agent is None:
            self._page.client.open("/dashboard" if self._actions.deleting else "/dashboard?gone")
            return
        if here is None:
            self._page.client.open(f"/workspace/{quote(agent.id)}")
            return
        self._list.show(overview.sessions_of(agent.id), agent)
        before = (self._session.title, self._agent.name, self._agent.draft, self._agent.archived)
        if (agent, here) != (self._agent, self._session):
            self._dock.show(agent, here)
        self._agent, self._session = agent, here
        if (here.title, agent.name, agent.draft, agent.archived) != before:
            self._retitle()

    def _retitle(self) -> None:
        name, title = self._agent_name(), title_of(self._session, self._words)
        self._name.set_text(name)
        self._head.show(self._agent, title)
        with self._page.client:
            self._page.retitle(self._page_title())

    async def _publish(self) -> None:
        """Publish the draft: new sessions use the agent instead of building it."""
        await self._page.services.versions.publish(self._agent.id, user=self._user)
        await self._page.refresh()
        self._page.toasts.show(
            self._words.t("head.published"), "ok", action=self._words.t("sessions.new"), undo=self._begin
        )

    async def _begin(self) -> None:
        """Go to a new session, or to an untouched one if there is one."""
        made = await place_to_begin(self._page, self._agent)
        if made.id == self._session.id:
            self._dock.composer.run_method("begin")
        else:
            ui.navigate.to(address(made))

    async def _rename(self, session: str, title: str) -> None:
        await self._agents.change_session(session, user=self._user, title=title)
        await self._page.refresh()

    async def _remove(self, session: str) -> None:
        await self._agents.delete_session(session, user=self._user)
        if session == self._session.id:
            ui.navigate.to(f"/workspace/{quote(self._agent.id)}")
        else:
            await self._page.refresh()

    def _page_title(self) -> str:
        name, title = self._agent_name(), title_of(self._session, self._words)
        return name if title == name else f"{title} · {name}"

    def _agent_name(self) -> str:
        return self._agent.name or self._words.t("workspace.untitled")


def _known(session: Session, *, practice: bool) -> SessionStats:
    """The statistics before the first answer, from the session's record."""
    return SessionStats(
        model=session.model or (PRACTICE if practice else ""),
        context_tokens=session.context_tokens,
        window_tokens=session.window_tokens,
        cost_usd=session.cost_usd,
        unpriced_calls=session.unpriced_calls,
    )


def _reducer(session: Session, known: SessionStats, words: Translations, render: Any) -> TranscriptReducer:
    folder = f"~/agents/{session.agent}"
    return TranscriptReducer(
        words, folder=folder, state=session.state, known=known, counted=session.last_seq, render=render
    )


async def _run(screen: SharedView, session: str) -> None:
    try:
        await screen.run()
    except PlatformError as error:
        log.info("screen of %s ended: %s", session, error)
