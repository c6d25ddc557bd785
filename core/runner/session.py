"""The life of a session around its conversation: it starts a CLI for work, and ends one that is not used."""

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
SWEPT_S = 5.0  # to end the processes that a dead CLI left behind
TERM_S = 0.3  # between SIGTERM and SIGKILL: both together keep a stop under 2 s
SILENT_S = 30.0  # without a line from the CLI, a tool at work or a question to the user
DEAF_S = 600.0  # then the turn is ended, so that no session is busy without end
BACKGROUND_S = 4 * 3600.0  # background work that was silent for so long does not keep a CLI alive
LATE_S = 5.0  # for a CLI to begin with a steering message that came when the turn had just ended

MakeRoom = Callable[["Session"], Coroutine[Any, Any, None]]


class Session:
    """A session and its CLI. All calls come from the runner's event loop.

    `room` waits until one more CLI may run. `spawn` starts a background task, which is cancelled when the runner ends.
    """

    def __init__(
        self, journal: Journal, launcher: CliLauncher, *, spawn: Spawn, room: MakeRoom, rested: Callable[[], None]
    ) -> None:
        self.id, self.journal = journal.session, journal
        self.folder = launcher.place.home  # where its CLI works, once it has one
        outputs = LiveOutput(lambda: self.folder, show=journal.show, spawn=spawn)
        self._cli_sessions = CliSessions(self.id, journal.log.path)
        self.conversation = Conversation(
            journal,
            need_cli=self.warm,
            end_cli=self._renew,
            finished=self._finished,
            outputs=outputs,
            calls=launcher.calls,
        )
        self.launcher, self._spawn, self._room, self._rested = launcher, spawn, room, rested
        self._checkpoint = Checkpoint(journal.log)
        journal.before_shown = self._checkpoint.keep
        self.starting: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self.admitted = False  # it holds one of the places for CLIs
        self.closed = False
        self._held: tuple[str, ...] = ()
        self._outdated = False  # the settings of its CLI, or of the one being started, have changed

    # --- what the launcher is connected to ---------------------------------------------------------------------------

    @property
    def cli_session(self) -> str:
        """The CLI's own id of the conversation that its next process resumes."""
        return self._cli_sessions.current

    def on_cli_message(self, said: Json) -> None:
        if not self.conversation.tampered:
            self._cli_sessions.on_cli_message(said)  # first, so that the new id also holds after a restart
        self.conversation.on_cli_message(said)

    async def ask(self, request_id: str, request: ToolRequest) -> Verdict:
        self._sync()  # runs while the request waits
        return await self.conversation.ask(request_id, request)

    async def refuse(self, request_id: str, request: ToolRequest) -> Verdict:
        """Answer a request by the agent's policy for unattended work."""
        self._sync()
        return self.conversation.refuse(request_id, request)

    def on_decided(self, decided: Decided) -> None:
        """Record a decision that was made without a person. Raises: StoreUnavailable: it is not recorded."""
        self.journal.record(decided)
        self.conversation.check.decided(decided.tool_id, decided.decision == "allow")

    def on_held_back(self, wanted: tuple[str, ...]) -> None:
        """Record a notice about settings of the folder that the CLI does not get, whenever they change."""
        if wanted and wanted != self._held:
            self.journal.record(Notice(level="warn", text="settings_held"))
        self._held = wanted

    def on_cli_starting(self, cli_client: "CliClient") -> None:
        """Attach a CLI that has been started and will listen soon."""
        cli_client.refused = self._outdated
        self.conversation.attach_cli(cli_client)

    def on_cli_exit(self) -> None:
        """Handle the end of the CLI."""
        cli_client = self.conversation.cli_client
        if cli_client is None or self.starting:
            return  # it ended during its start, which notices this
        self._leave()
        self._sweep(cli_client)
        try:
            if self.conversation.tampered:
                self.launcher.put_transcript_aside(self.cli_session)  # it has the forged text, too
        except OSError as error:
            log.warning("session %s: a transcript stays: %s", self.id, error)
        try:
            self.conversation.cli_ended(cli_client.cli.stderr_tail)
        except StoreUnavailable:
            log.exception("session %s: its CLI's end cannot be written", self.id)

    # --- what is asked of it -----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """True if it has a CLI, or one is being started."""
        return self.conversation.cli_client is not None or self.starting is not None

    @property
    def busy(self) -> bool:
        """True if something runs that an idle session does not have: a turn, a start, an end."""
        begun = self.starting is not None or self.conversation.turn is not None
        return begun or self.conversation.held > 0 or self.has_background

    @property
    def has_background(self) -> bool:
        """True if commands or sub-agents run in the background and were active within hours."""
        return bool(self.conversation.background) and time.monotonic() - self.conversation.last_active < BACKGROUND_S

    @property
    def working(self) -> bool:
        """True if its CLI has work to do other than waiting for a person."""
        return self.starting is not None or (
            self.conversation.turn is not None and not self.conversation.pending.waiting
        )

    def recover(self) -> None:
        """After opening a log: record the end of what ended with its last writer, then continue."""
        projection = self.journal.projection
        for request_id in projection.asked.keys() - projection.parked:
            self.journal.record(Parked(request_id=request_id))
        if projection.turn:
            for text in self._checkpoint.left():
                self.journal.record(text)
            self.journal.record(TurnFinished(outcome="interrupted", reason="runner_lost"))
        elif projection.background:
            self.conversation.background.tell_end("background_ended")
        self._checkpoint.forget()
        if projection.state not in (S.ASLEEP, S.FAILED):
            self.journal.become(S.ASLEEP)
            self._sweep()
        else:
            self.conversation.advance()

    def warm(self) -> None:
        """Start a CLI if there is none."""
        self.conversation.last_used = time.monotonic()
        if not (self.alive or self.conversation.held or self.closed):
            self.journal.become(S.STARTING)
            self.starting = self._spawn(self._start(), f"start {self.id}")

    def interrupt(self, reason: str = STOPPED) -> None:
        """Stop the open turn (G6). Without one, stop background work or a message that waits for a CLI."""
        conversation, turn = self.conversation, self.conversation.turn
        if turn is None and conversation.cli_client and (conversation.background or conversation.pending.waiting):
            self.conversation.pending.drop()
            self._spawn(self.sleep(reason), f"stop {self.id}")
        elif turn is None:
            steering_sent = set(self.conversation.steering_sent.values())
            waiting = {said.message_id for said in self.journal.projection.waiting}
            self.conversation.stop_next = bool(waiting - steering_sent)
        elif not turn.stopping:
            turn.stopping = reason
            self._spawn(self._stop(turn), f"stop {self.id}")

    async def sleep(self, reason: str = "shutdown") -> None:
        """End the CLI and everything that the session started, in order: interrupt, park, close. Takes up to 4 s."""
        self.conversation.held += 1
        try:
            if self.starting:
                if turn := self.conversation.turn:
                    turn.stopping = turn.stopping or reason
                self.starting.cancel()
                await asyncio.wait([self.starting])
            if cli_client := self.conversation.cli_client:
                self.conversation.pending.park()
                if turn := self.conversation.turn:
                    turn.stopping = turn.stopping or reason
                    cli_client.interrupt()
                    await _wait(turn.over, INTERRUPT_S)
                self.conversation.background.end(
                    STOPPED if reason == STOPPED else "background_ended", told=self.conversation.turn is not None
                )
                await cli_client.close()
            await end_all(self.id)
            if self._sweeping:  # the previous CLI died: finish ending its processes
                await asyncio.wait([self._sweeping], timeout=SWEPT_S)
        finally:
            self.conversation.held -= 1
        if not self.closed:
            self.conversation.advance()

    def outdate(self) -> None:
        """Begin no new turn in the present CLI, whose settings have changed; if it is idle it ends now."""
        self._outdated = True
        if cli_client := self.conversation.cli_client:
            cli_client.refused = True
            if not self.starting:
                self.conversation.advance()

    def check_idle(self, now: float) -> None:
        """Check, every second, whether the CLI has become silent."""
        conversation, turn = self.conversation, self.conversation.turn
        silent_s = now - conversation.last_heard
        if turn is None:
            if conversation.steering_sent and conversation.cli_client and silent_s > LATE_S:
                conversation.cli_client.cli.terminate()  # it will not begin with them, but the next CLI will
        elif not (turn.tools or conversation.pending.waiting or turn.stopping):
            if silent_s > SILENT_S and not turn.silence_told:
                turn.silence_told = True
                self.journal.record(Notice(level="warn", text="model_silent"))
            if silent_s > DEAF_S:
                self.interrupt("no_answer")

    # --- tasks -------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        try:
            await self._room(self)
            self._outdated = False  # from here on: the new CLI gets the settings below
            cli_client = await self.launcher.start(self)
        except asyncio.CancelledError:
            self._not_started("", then=S.ASLEEP)
            raise
        except (PlatformError, OSError) as error:
            log.warning("session %s: no CLI: %s", self.id, error)
            self._not_started(str(error))
        except Exception as error:  # whatever failed: without an end the session would stay in `starting`
            log.exception("session %s: no CLI", self.id)
            self._not_started(f"{type(error).__name__}: {error}")
        else:
            self._started(cli_client)

    def _started(self, cli_client: "CliClient") -> None:
        self.conversation.cli_client, self.starting = cli_client, None
        if cli_client.cli.over.is_set():  # it started, and died while it was being connected
            self.on_cli_exit()
            return
        if turn := self.conversation.turn:
            turn.started_boottime = boottime()  # the CLI's own processes until now are spared by Stop
        self.conversation.advance()
        if self.conversation.turn is None and self.conversation.cli_client:
            self.journal.become(S.IDLE)
            self._rested()

    def _not_started(self, detail: str, *, then: S = S.FAILED) -> None:
        conversation, turn = self.conversation, self.conversation.turn
        conversation.cli_client = None
        try:
            if turn and (turn.stopping or turn.begun):
                over = stopped(turn.stopping) if turn.stopping else TurnResult(outcome="error", reason="cli_died")
                conversation.pending.park()
                conversation.finish(over, then=S.ASLEEP)  # asks for no new CLI: one is still being started
            elif then is S.FAILED:
                conversation.fail(detail)
            else:
                self.journal.become(then)
        finally:
            self.starting = None
            self._leave()
        if turn and then is S.FAILED and not self.closed:
            conversation.advance()

    def _leave(self) -> None:
        self.admitted = False
        self._rested()

    def _renew(self) -> None:
        """End the CLI, whose token expires; the next one resumes with a new token."""
        self._spawn(self.sleep(), f"renew {self.id}")

    async def fsync(self) -> None:
        """Wait until everything stored survives a power cut. Raises: StoreUnavailable."""
        try:
            await asyncio.to_thread(self.journal.log.sync)
        except OSError as error:
            raise StoreUnavailable(f"the log cannot be written: {error}") from error

    async def _stop(self, turn: Turn) -> None:
        cli_client = self.conversation.cli_client
        if cli_client is None:
            return
        self.conversation.held += 1
        background, self.conversation.background.tasks = self.conversation.background.tasks, ()
        try:
            cli_client.interrupt()
            for end in (cli_client.cli.terminate, cli_client.cli.kill):
                if await _wait(turn.over, INTERRUPT_S if end == cli_client.cli.terminate else TERM_S):
                    break
                end()
            tools = cli_client.cli.tools
            more = tools.programs if tools else tuple
            await end_all(self.id, spare=cli_client.cli.pid, since=turn.started_boottime, more=more)
            if background:
                await cli_client.close()  # otherwise it would begin a turn about its failed background work
        finally:
            self.conversation.held -= 1
        self.conversation.advance()

    def _sweep(self, cli_client: "CliClient | None" = None) -> None:
        """End the processes of the session's last CLI before a new one comes: they have the same mark."""
        self.conversation.held += 1
        self._sweeping = self._spawn(self._swept(cli_client), f"sweep {self.id}")

    async def _swept(self, cli_client: "CliClient | None") -> None:
        try:
            await end_all(self.id)
            if cli_client is not None:
                await cli_client.close()
        finally:
            self.conversation.held -= 1
        self.conversation.advance()

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
