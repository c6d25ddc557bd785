"""`/runs/{run}`: one run: why it ended, what came of it, what was said and done, and its figures."""

import asyncio
import contextlib
import logging
from functools import partial
from typing import Any
from urllib.parse import quote

from nicegui import background_tasks, ui

from core.domain.errors import NotFound, PlatformError
from core.domain.events import AnyEvent, UserSaid
from core.domain.records import Agent, Session
from core.domain.runs import Run, TriggerKind, words_of
from core.domain.states import ENDED, RunState
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.sentences import next_step, spoken, took, why
from ui.runs.state_mark import state_mark
from ui.transcript.reducer import TranscriptReducer
from ui.transcript.session_stats import SessionStats
from ui.transcript.shared_view import SharedView, SharedViews
from ui.transcript.transcript import Transcript

log = logging.getLogger("oma.pages")

LOOK_S = 2.0
PATIENCE_S = 2.0  # for the transcript out of the store; later it comes by push


class RunDetails:
    """An open page of a run."""

    def __init__(self, page: PageFrame, views: SharedViews, run: Run, agent: Agent | None) -> None:
        self._page, self._views, self._run, self._agent = page, views, run, agent
        self._session = self._told = ""
        with tag("div", classes="page runs one"):
            self._head = tag("div", classes="rh")
            with tag("div", classes="two"):
                with tag("div"):
                    self._why = tag("section", classes="blk")
                    self._result = tag("section", classes="blk")
                    with tag("section", classes="blk"):
                        tag("h2", page.words.t("runs.transcript"))
                        self._log = tag("div", classes="log-place")
                self._facts = tag("aside", aria_label=page.words.t("runs.facts"))

    async def build(self) -> None:
        """Everything on the page."""
        self._show(await self._trigger_words())
        await self._transcript()

    async def refresh(self) -> None:
        """Read the row again; what reads the same is left alone."""
        try:
            run = await self._page.services.runs.get(self._run.id, user=self._page.user_id)
        except NotFound:
            self._page.client.open("/runs")
            return
        if (run, took(run, self._page.words)) != (self._run, self._told):
            self._run = run
            self._show(await self._trigger_words())
            await self._transcript()

    async def _trigger_words(self) -> str:
        run, words = self._run, self._page.words
        if run.trigger_kind is TriggerKind.SCHEDULE:
            try:
                trigger = await self._page.services.schedules.get(run.trigger, user=self._page.user_id)
                return spoken(trigger.schedule, words)
            except NotFound:
                return words.t("runs.schedule_gone")
        return words.t(f"run_trigger.{run.trigger_kind}")

    def _show(self, trigger: str) -> None:
        self._told = took(self._run, self._page.words)
        for place, draw in (
            (self._head, self._draw_head),
            (self._why, self._draw_why),
            (self._result, self._draw_result),
            (self._facts, partial(self._draw_facts, trigger)),
        ):
            place.clear()
            with place:
                draw()

    def _draw_head(self) -> None:
        run, words = self._run, self._page.words
        name = (self._agent and self._agent.name) or words.t("dashboard.untitled")
        with tag("a", classes="row back", href="/runs"):
            icon("back")
            tag("span", words.t("runs.title"))
        with tag("div", classes="row title"):
            tag("h1", name, classes="cut")
            state_mark(run.state, words.t(f"run_state.{run.state}"))
            tag("span", classes="grow")
            if run.state is RunState.WAITING:
                href = f"/workspace/{quote(run.agent)}?session={quote(run.session)}"
                tag("a", words.t("dashboard.answer"), classes="btn primary", href=href)
            if run.state not in ENDED:
                stop = tag("button", words.t("runs.cancel"), classes="btn", type="button", testid="cancel-run")
                stop.on("click", self._cancel, args=[])
            else:
                filled = " primary" if run.state is RunState.FAILED else ""
                again = tag("button", words.t("runs.retry"), classes=f"btn{filled}", type="button", testid="retry")
                again.on("click", self._retry, args=[])

    def _draw_why(self) -> None:
        run, words = self._run, self._page.words
        tag("h2", words.t("runs.why" if run.state in ENDED else "runs.now"))
        tag("p", why(run, words))
        if step := next_step(run, words):
            tag("p", step, classes="meta")
        if run.reason:
            with tag("p", classes="meta"):
                tag("code", run.reason)
        if run.detail:
            tag("p", run.detail, classes="meta mono detail")

    def _draw_result(self) -> None:
        run, words = self._run, self._page.words
        tag("h2", words.t("runs.result"))
        tag("p", run.result or words.t("runs.no_result"), classes="" if run.result else "muted")
        tag("h2", words.t("runs.files"))
        if not run.files:
            tag("p", words.t("runs.no_files"), classes="muted")
        with tag("ul", classes="files"):
            for file in run.files:
                tag("li", file, classes="mono cut")

    def _draw_facts(self, trigger: str) -> None:
        run, words = self._run, self._page.words
        facts = [
            ("took", took(run, words)),
            ("waited", words.lasting(run.waited_s) if run.waited_s else ""),
            ("trigger", trigger),
            ("due", words.full(run.due_at) if run.due_at else ""),
            ("started", words.full(run.started_at) if run.started_at else ""),
            ("finished", words.full(run.finished_at) if run.finished_at else ""),
            ("version", words.t("runs.draft") if run.version == "draft" else str(run.version or "")),
            ("attempt", words.number(run.attempt)),
            ("tokens", words.number(run.tokens) if run.tokens else ""),
            ("cost", words.money(run.cost_usd) if run.started_at and run.cost_usd else ""),
        ]
        with tag("dl", classes="f"):
            for name, value in facts:
                if value:
                    with tag("div"):
                        tag("dt", words.t(f"runs.fact_{name}"))
                        tag("dd", value)
        tag("h2", words.t("runs.input"))
        tag("p", words_of(run.input, locale=words.locale), classes="given", testid="run-input-shown")
        if run.session:
            href = f"/workspace/{quote(run.agent)}?session={quote(run.session)}"
            tag("a", words.t("runs.open_session"), classes="btn sm", href=href)

    async def _transcript(self) -> None:
        """Show the run's transcript once there is a session; it updates itself."""
        if not self._run.session or self._session:
            return
        user, conversations = self._page.user_id, self._page.services.conversations
        try:
            session = await self._page.services.agents.session(self._run.session, user=user)
        except NotFound:
            return
        self._session = session.id
        cursor = self._views.subscribe(session.id, self._page.words, partial(self._view, session), _start)
        self._page.client.on_delete(lambda: self._views.leave(cursor))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(cursor.view.arrived.wait(), PATIENCE_S)

        async def older(before: int) -> list[AnyEvent]:
            return await conversations.older(session.id, user=user, before=before)

        async def again(said: UserSaid, after: int) -> int:
            return await conversations.retry(session.id, said, user=user, after=after)

        with self._log:
            Transcript(
                cursor, words=self._page.words, older=older, again=again, handover=self._nothing, fail=self._page.fail,
                listeners=[], hello={"title": "", "text": "", "starters": []},
            )  # fmt: skip

    def _view(self, session: Session) -> SharedView:
        words, user = self._page.words, self._page.user_id
        follow: Any = partial(self._page.services.conversations.follow, session.id, user=user)
        return SharedView(follow=follow, make_reducer=lambda render: _fold(session, words, render))

    async def _nothing(self) -> None:
        """A run goes on nowhere; its session can be opened."""

    async def _cancel(self) -> None:
        await self._page.services.runs.cancel(self._run.id, user=self._page.user_id)
        await self.refresh()

    async def _retry(self) -> None:
        again = await self._page.services.runs.retry(self._run.id, user=self._page.user_id)
        ui.navigate.to(f"/runs/{again.id}")


def _fold(session: Session, words: Any, render: Any) -> TranscriptReducer:
    known = SessionStats(model=session.model)
    folder = f"~/agents/{session.agent}"
    return TranscriptReducer(
        words, folder=folder, state=session.state, known=known, counted=session.last_seq, render=render
    )


def _start(screen: SharedView) -> "asyncio.Task[None]":
    return background_tasks.create(_follow(screen), name="run")


async def _follow(screen: SharedView) -> None:
    try:
        await screen.run()
    except PlatformError as error:
        log.info("the transcript of a run ended: %s", error)


def install(services: Services) -> None:
    """Serve the page."""
    views = SharedViews()

    @screen("/runs/{run_id}")
    async def run(run_id: str) -> None:
        """Raises: NotFound: the run is not there, or not this user's."""
        user = services.auth.current()
        found = await services.runs.get(run_id, user=user.id)
        try:
            agent: Agent | None = await services.agents.get(found.agent, user=user.id)
        except NotFound:
            agent = None
        with frame(services, title="runs.one") as page:
            shown = RunDetails(page, views, found, agent)
            await shown.build()
            page.on_change(shown.refresh)
            ui.timer(LOOK_S, shown.refresh)
