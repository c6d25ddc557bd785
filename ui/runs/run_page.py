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
from core.domain.runs import DRAFT, Run, TriggerKind, words_of
from core.domain.states import ENDED, RunState
from ui.layout.html import icon, tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.sentences import cost, next_step, spoken, took, why
from ui.runs.state_mark import GLYPHS, state_mark
from ui.runs.steps import TONES, show_steps
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
                    self._files = tag("section", classes="blk", testid="run-files")
                    with tag("section", classes="blk"):
                        tag("h2", page.words.t("runs.transcript"))
                        self._log = tag("div", classes="log-place")
                self._facts = tag("aside", aria_label=page.words.t("runs.facts"))

    async def build(self) -> None:
        """Read, and draw everything."""
        self._limits = await self._page.services.spending.in_force(self._run.agent, user=self._page.user_id)
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

    async def _trigger_words(self) -> tuple[str, str]:
        """Return what started the run, and a note about it."""
        run, words = self._run, self._page.words
        kind = words.t(f"run_trigger.{run.trigger_kind}")
        if run.trigger_kind is TriggerKind.SCHEDULE:
            try:
                trigger = await self._page.services.schedules.get(run.trigger, user=self._page.user_id)
                return spoken(trigger.schedule, words), f"{kind} · {trigger.schedule.timezone}"
            except NotFound:
                return words.t("runs.schedule_gone"), ""
        if run.trigger == self._page.user_id:
            return self._page.user.name or words.t("common.owner"), kind
        return kind, ""

    def _show(self, trigger: tuple[str, str]) -> None:
        self._told = took(self._run, self._page.words)
        for place, draw in (
            (self._head, self._draw_head),
            (self._why, self._draw_why),
            (self._result, self._draw_result),
            (self._files, self._draw_files),
            (self._facts, partial(self._draw_facts, trigger)),
        ):
            place.clear()
            with place:
                draw()

    def _draw_head(self) -> None:
        run, words = self._run, self._page.words
        name = (self._agent and self._agent.name) or words.t("dashboard.untitled")
        with tag("div", classes="top"):
            with tag("span", classes="tile hide-phone"):
                icon((self._agent and self._agent.icon) or "spark", "lg")
            with tag("div", classes="grow"):
                with tag("nav", classes="crumb", aria_label=words.t("runs.where")):
                    tag("a", words.t("runs.title"), href="/runs")
                    icon("right")
                    tag("a", name, classes="cut", href=f"/agents/{quote(run.agent)}/operate")
                with tag("div", classes="row title"):
                    tag("h1", words.moment(run.due_at or run.started_at or run.at))
                    state_mark(run.state, words.t(f"run_state.{run.state}"))
            self._buttons()
        show_steps(run, words)

    def _buttons(self) -> None:
        run, words = self._run, self._page.words
        here = f"/workspace/{quote(run.agent)}?session={quote(run.session)}"
        if run.session and run.state is not RunState.WAITING:
            tag("a", words.t("runs.open_session"), classes="btn", href=here)
        if run.state is RunState.WAITING:
            tag("a", words.t("dashboard.answer"), classes="btn primary", href=here)
        if run.state not in ENDED:
            stop = tag("button", words.t("runs.cancel"), classes="btn", type="button", testid="cancel-run")
            stop.on("click", self._cancel, args=[])
            return
        failed = run.state is RunState.FAILED
        label = "runs.retry" if failed else "runs.again" if run.started_at else "schedules.run_now"
        again = tag("button", words.t(label), classes="btn primary" if failed else "btn", type="button", testid="retry")
        again.on("click", self._retry, args=[])

    def _draw_why(self) -> None:
        run, words = self._run, self._page.words
        tag("h2", words.t("runs.why" if run.state in ENDED else "runs.now"))
        with tag("div", classes="why"):
            if glyph := GLYPHS.get(run.state):
                icon(glyph, TONES.get(run.state, "muted"))
            with tag("div", testid="why"):
                tag("p", why(run, words))
                if step := next_step(run, words):
                    tag("p", step, classes="meta")
                if run.reason:
                    with tag("p", classes="meta"):
                        tag("code", run.reason)
                        tag("span", " · ")
                        tag("a", words.t("runs.code_link"), classes="lk", href=f"/runs/reasons/{quote(run.reason)}")
                if run.detail:
                    tag("p", run.detail, classes="meta mono detail")

    def _draw_result(self) -> None:
        run, words = self._run, self._page.words
        tag("h2", words.t("runs.result"))
        nothing = "runs.no_result" if run.state not in ENDED else "runs.no_result_left"
        tag("p", run.result or words.t(nothing), classes="" if run.result else "muted")

    def _draw_files(self) -> None:
        run, words = self._run, self._page.words
        with tag("h2", words.t("runs.files")):
            if run.files:
                tag("span", words.number(len(run.files)), classes="end")
        if not run.files:
            tag("p", words.t("runs.no_files"), classes="muted")
        with tag("ul", classes="files"):
            for file in run.files:
                with tag("li", classes="row"):
                    icon("file")
                    tag("span", shown_path(file, run.agent), classes="mono cut", title=file)

    def _draw_facts(self, trigger: tuple[str, str]) -> None:
        run, words = self._run, self._page.words
        limits = self._limits
        bounds = [words.lasting(limits.duration_s)] if limits.duration_s else []
        bounds += [words.t("runs.most_calls", n=limits.turns)] if limits.turns else []
        most = words.t("runs.most_usd", usd=words.money(limits.run_usd)) if limits.run_usd else ""
        facts = [
            ("took", took(run, words), words.t("runs.without_waiting") if run.waited_s else ""),
            ("trigger", *trigger),
            ("version", version_words(run, words), ""),
            ("attempt", words.t("runs.attempt", n=run.attempt), ""),
            ("tokens", words.number(run.tokens) if run.tokens else "", ""),
            ("cost", cost(run, words) if run.started_at else "", most),
            ("limit", " · ".join(bounds), ""),
            ("id", run.id, ""),
        ]
        with tag("dl", classes="f"):
            for name, value, note in facts:
                if value:
                    with tag("div"):
                        tag("dt", words.t(f"runs.fact_{name}"))
                        with tag("dd", value, classes="mono" if name == "id" else ""):
                            if note:
                                tag("span", note, classes="sub")
        tag("h2", words.t("runs.input"))
        tag("p", words_of(run.input, locale=words.locale), classes="given", testid="run-input-shown")

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


def version_words(run: Run, words: Translations) -> str:
    """Return the version that the run used; empty for one that was published before versions had numbers."""
    if run.version == DRAFT:
        return words.t("runs.draft")
    return f"v{run.version}" if run.version else ""


def shown_path(file: str, agent: str) -> str:
    """Return a file's path as it is below the agent's folder."""
    return file.partition(f"/agents/{agent}/")[2] or file


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
