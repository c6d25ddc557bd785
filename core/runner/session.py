"""A session's life around its conversation: a CLI comes when there is work, stays while it is used, ends well."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from core.domain.errors import PlatformError, StoreUnavailable
from core.domain.events import Decided, Notice, Parked, TurnFinished
from core.domain.states import SessionState as S
from core.runner.checkpoint import Checkpoint
from core.runner.cli import Json
from core.runner.cli_launcher import CliLauncher
from core.runner.cli_sessions import CliSessions
from core.runner.conversation import STOPPED, Conversation
from core.runner.journal import Journal
from core.runner.live_output import LiveOutput, Spawn
from core.runner.pending_requests import ToolRequest, Verdict
from core.runner.processes import boottime, end_all
from core.runner.turn import Turn
from core.runner.turn_result import TurnResult, stopped

if TYPE_CHECKING:
    from core.runner.cli_client import CliClient

log = logging.getLogger("oma.session")

INTERRUPT_S = 1.2  # for the CLI to end its turn by itself; it takes 40 ms
SWEPT_S = 5.0  # for the end of what a dead CLI has left behind
TERM_S = 0.3  # between SIGTERM and SIGKILL: both together keep a stop under 2 s
SILENT_S = 30.0  # without a line from the CLI, a tool at work or a question to the user
DEAF_S = 600.0  # then the turn is ended: nothing is busy for ever
BACKGROUND_S = 4 * 3600.0  # work in the background that nobody has heard of for so long does not keep a CLI alive
LATE_S = 5.0  # for a CLI to begin with what it was given as steering when the turn had just ended

MakeRoom = Callable[["Session"], Coroutine[Any, Any, None]]


class Session:
    """All calls from the runner's loop. `room` waits until one more CLI may live; `spawn` keeps tasks."""

    def __init__(
        self, journal: Journal, engine: CliLauncher, *, spawn: Spawn, room: MakeRoom, rested: Callable[[], None]
    ) -> None:
        self.id, self.journal = journal.session, journal
        outputs = LiveOutput(lambda: engine.place.folder(journal.recall.agent), show=journal.show, spawn=spawn)
        self._cli_sessions = CliSessions(self.id, journal.log.path)
        self.talk = Conversation(
            journal,
            need_cli=self.warm,
            end_cli=self._renew,
            finished=self._finished,
            outputs=outputs,
            calls=engine.calls,
        )
        self._engine, self._spawn, self._room, self._rested = engine, spawn, room, rested
        self._checkpoint = Checkpoint(journal.log)
        journal.before_shown = self._checkpoint.keep
        self._starting: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self.admitted = False  # it holds one of the places for CLIs
        self.closed = False
        self._held: tuple[str, ...] = ()
        self._outdated = False  # what its CLI, or the one that is being started, was told is so no longer

    # --- what the engine is connected to -----------------------------------------------------------------------------

    @property
    def cli_session(self) -> str:
        """The CLI's own id of the conversation that its next process resumes."""
        return self._cli_sessions.current

    def on_cli_message(self, said: Json) -> None:
        if not self.talk.tampered:
            self._cli_sessions.on_cli_message(said)  # first: what is told of it is so after a restart, too
        self.talk.on_cli_message(said)

    async def ask(self, request_id: str, wish: ToolRequest) -> Verdict:
        self._sync()  # runs when this has been recorded and waits
        return await self.talk.ask(request_id, wish)

    async def refuse(self, request_id: str, wish: ToolRequest) -> Verdict:
        """Answer a request by the agent's policy for unattended work."""
        self._sync()
        return self.talk.refuse(request_id, wish)

    def on_decided(self, decided: Decided) -> None:
        """The platform decided about a use of a tool without a person. Raises: StoreUnavailable: it is not recorded."""
        self.journal.record(decided)
        self.talk.check.decided(decided.tool_id, decided.decision == "allow")

    def on_held_back(self, wanted: tuple[str, ...]) -> None:
        """Its folder wants these of the CLI, and does not get them: said whenever it is something else than before."""
        if wanted and wanted != self._held:
            self.journal.record(Notice(level="warn", text="settings_held"))
        self._held = wanted

    def on_cli_starting(self, live: "CliClient") -> None:
        """Its CLI has been started, and listens soon."""
        live.refused = self._outdated
        self.talk.comes(live)

    def on_cli_exit(self) -> None:
        """The CLI has ended, wanted or not."""
        live = self.talk.live
        if live is None or self._starting:
            return  # while it started: whoever starts it notices
        self._leave()
        self._sweep(live)
        try:
            if self.talk.tampered:
                self._engine.put_transcript_aside(self.cli_session)  # it has the forged words, too
        except OSError as error:
            log.warning("session %s: a transcript stays: %s", self.id, error)
        try:
            self.talk.cli_ended(live.cli.stderr_tail)
        except StoreUnavailable:
            log.exception("session %s: its CLI's end cannot be written", self.id)

    # --- what is asked of it -----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """It has a CLI, or is getting one."""
        return self.talk.live is not None or self._starting is not None

    @property
    def busy(self) -> bool:
        """Something is under way that an idle session has not: a turn, a start, an end."""
        return self._starting is not None or self.talk.turn is not None or self.talk.held > 0 or self.has_background

    @property
    def has_background(self) -> bool:
        """Commands or sub-agents work in the background, and not unheard and unattended for hours."""
        return bool(self.talk.background) and time.monotonic() - self.talk.last_active < BACKGROUND_S

    @property
    def working(self) -> bool:
        """It has a CLI and something to do with it that is not waiting for a person."""
        return self._starting is not None or (self.talk.turn is not None and not self.talk.desk.waiting)

    def recover(self) -> None:
        """After opening a log: end in it what ended with the runner that wrote it, then go on."""
        recall = self.journal.recall
        for request_id in recall.asked.keys() - recall.parked:
            self.journal.record(Parked(request_id=request_id))
        if recall.turn:
            for text in self._checkpoint.left():
                self.journal.record(text)
            self.journal.record(TurnFinished(outcome="interrupted", reason="runner_lost"))
        elif recall.background:
            self.talk.background.tell_end("background_ended")
        self._checkpoint.forget()
        if recall.state not in (S.ASLEEP, S.FAILED):
            self.journal.become(S.ASLEEP)
            self._sweep()
        else:
            self.talk.advance()

    def warm(self) -> None:
        """Have a CLI ready."""
        self.talk.last_used = time.monotonic()
        if not (self.alive or self.talk.held or self.closed):
            self.journal.become(S.STARTING)
            self._starting = self._spawn(self._start(), f"start {self.id}")

    def interrupt(self, reason: str = STOPPED) -> None:
        """Stop (G6). Without an open turn, work in the background or a message that waits for a CLI is stopped."""
        turn = self.talk.turn
        if turn is None and self.talk.live and (self.talk.background or self.talk.desk.waiting):
            self.talk.desk.drop()
            self._spawn(self.sleep(reason), f"stop {self.id}")
        elif turn is None:
            handed = set(self.talk.handed.values())
            self.talk.stop_next = bool(self.journal.recall.waiting.keys() - handed)
        elif not turn.stopping:
            turn.stopping = reason
            self._spawn(self._stop(turn), f"stop {self.id}")

    async def sleep(self, reason: str = "shutdown") -> None:
        """End the CLI and all the session started, in good order: interrupt, park, close. Within some 4 s."""
        self.talk.held += 1
        try:
            if self._starting:
                if turn := self.talk.turn:
                    turn.stopping = turn.stopping or reason
                self._starting.cancel()
                await asyncio.wait([self._starting])
            if live := self.talk.live:
                self.talk.desk.park()
                if turn := self.talk.turn:
                    turn.stopping = turn.stopping or reason
                    live.interrupt()
                    await _wait(turn.over, INTERRUPT_S)
                self.talk.background.end(
                    STOPPED if reason == STOPPED else "background_ended", told=self.talk.turn is not None
                )
                await live.close()
            await end_all(self.id)
            if self._sweeping:  # the CLI before had died: what it left behind is not given up half ended
                await asyncio.wait([self._sweeping], timeout=SWEPT_S)
        finally:
            self.talk.held -= 1
        if not self.closed:
            self.talk.advance()

    def outdate(self) -> None:
        """No new turn in the CLI that is there, which knows what is so no longer; with nothing to do it ends now."""
        self._outdated = True
        if live := self.talk.live:
            live.refused = True
            if not self._starting:
                self.talk.advance()

    def check_idle(self, now: float) -> None:
        """Every second: has the CLI gone silent?"""
        talk, turn = self.talk, self.talk.turn
        silent_s = now - talk.last_heard
        if turn is None:
            if talk.handed and talk.live and silent_s > LATE_S:
                talk.live.cli.terminate()  # it will not begin with them: the next one will
        elif not (turn.tools or talk.desk.waiting or turn.stopping):
            if silent_s > SILENT_S and not turn.silence_told:
                turn.silence_told = True
                self.journal.record(Notice(level="warn", text="model_silent"))
            if silent_s > DEAF_S:
                self.interrupt("no_answer")

    # --- tasks -------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        try:
            await self._room(self)
            self._outdated = False  # from here on: it is told below
            live = await self._engine.start(self)
        except asyncio.CancelledError:
            self._not_started("", then=S.ASLEEP)
            raise
        except (PlatformError, OSError) as error:
            log.warning("session %s: no CLI: %s", self.id, error)
            self._not_started(str(error))
        except Exception as error:  # whatever it was: without an end the session would be starting for ever
            log.exception("session %s: no CLI", self.id)
            self._not_started(f"{type(error).__name__}: {error}")
        else:
            self._started(live)

    def _started(self, live: "CliClient") -> None:
        self.talk.live, self._starting = live, None
        if live.cli.over.is_set():  # it came up, and died while it was being connected
            self.on_cli_exit()
            return
        if turn := self.talk.turn:
            turn.started_boottime = boottime()  # what the CLI has started until now is its own: Stop spares it
        self.talk.advance()
        if self.talk.turn is None and self.talk.live:
            self.journal.become(S.IDLE)
            self._rested()

    def _not_started(self, detail: str, *, then: S = S.FAILED) -> None:
        talk, turn = self.talk, self.talk.turn
        talk.live = None
        try:
            if turn and (turn.stopping or turn.begun):
                over = stopped(turn.stopping) if turn.stopping else TurnResult(outcome="error", reason="cli_died")
                talk.desk.park()
                talk.finish(over, then=S.ASLEEP)  # asks for no new CLI: this one is still being started
            elif then is S.FAILED:
                talk.fail(detail)
            else:
                self.journal.become(then)
        finally:
            self._starting = None
            self._leave()
        if turn and then is S.FAILED and not self.closed:
            talk.advance()

    def _leave(self) -> None:
        self.admitted = False
        self._rested()

    def _renew(self) -> None:
        """Its token is at its end: the next CLI, which resumes, gets a new one."""
        self._spawn(self.sleep(), f"renew {self.id}")

    async def fsync(self) -> None:
        """Until all that is stored survives a power cut. Raises: StoreUnavailable."""
        try:
            await asyncio.to_thread(self.journal.log.sync)
        except OSError as error:
            raise StoreUnavailable(f"the log cannot be written: {error}") from error

    async def _stop(self, turn: Turn) -> None:
        live = self.talk.live
        if live is None:
            return
        self.talk.held += 1
        background, self.talk.background.tasks = self.talk.background.tasks, ()
        try:
            live.interrupt()
            for end in (live.cli.terminate, live.cli.kill):
                if await _wait(turn.over, INTERRUPT_S if end == live.cli.terminate else TERM_S):
                    break
                end()
            tools = live.cli.tools
            more = tools.programs if tools else tuple
            await end_all(self.id, spare=live.cli.pid, since=turn.started_boottime, more=more)
            if background:
                await live.close()  # else it would begin a turn to say that its background work has failed
        finally:
            self.talk.held -= 1
        self.talk.advance()

    def _sweep(self, live: "CliClient | None" = None) -> None:
        """What the session's last CLI has left behind goes before a new one comes: they carry the same mark."""
        self.talk.held += 1
        self._sweeping = self._spawn(self._swept(live), f"sweep {self.id}")

    async def _swept(self, live: "CliClient | None") -> None:
        try:
            await end_all(self.id)
            if live is not None:
                await live.close()
        finally:
            self.talk.held -= 1
        self.talk.advance()

    def _finished(self) -> None:
        self._checkpoint.forget()
        self._rested()
        self._sync()

    def _sync(self) -> None:
        self._spawn(self.fsync(), f"fsync {self.id}")


async def _wait(event: asyncio.Event, limit_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), limit_s)
    return event.is_set()
