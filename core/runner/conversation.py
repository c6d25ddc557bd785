"""A conversation: its queue of messages, its turns, the CLI's output, and people's answers.

The next step is always read from the journal's projection and never remembered apart from it. That is why a runner that
was killed between any two lines continues where its log ends.
"""

import logging
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import structs

from core.domain.errors import BadInput, Conflict, NotFound, StoreUnavailable, TooMuch
from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Live,
    Notice,
    Parked,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolProgress,
    ToolReturned,
    TurnFinished,
    UserSaid,
    seq_of,
)
from core.domain.states import SessionState as S
from core.runner.attachments import Message, message_of
from core.runner.background import BackgroundWork
from core.runner.cli import Json
from core.runner.journal import Journal
from core.runner.live_output import CommandStarted, LiveOutput, with_output
from core.runner.model_calls import ModelCalls
from core.runner.pending_requests import PendingRequests, ToolRequest, Verdict, check
from core.runner.prompts import told_later
from core.runner.stream_json import BackgroundChanged, Began, CliOutput, TakenIn, Translator
from core.runner.tamper_check import TamperCheck
from core.runner.turn import Turn, plan_in
from core.runner.turn_result import TAMPERED, TurnResult, stopped

if TYPE_CHECKING:
    from core.runner.cli_client import CliClient as Cli

log = logging.getLogger("oma.conversation")

QUEUED = 100  # messages that may wait
STOPPED = "stopped_by_user"


class Conversation:
    """`need_cli` is called when there is work and no CLI, `end_cli` when it is too old."""

    def __init__(self, journal: Journal, *, need_cli: Callable[[], None], end_cli: Callable[[], None],
                 finished: Callable[[], None], outputs: LiveOutput, calls: ModelCalls) -> None:  # fmt: skip
        self.journal, self._outputs = journal, outputs
        self.background = BackgroundWork(journal)
        self.projection = journal.projection
        self.cli_client: Cli | None = None
        self.turn: Turn | None = None
        self.held = 0  # while above 0 nothing new begins: processes are being swept, or all ends
        self.stop_next = False  # the user stopped what has not begun yet
        self.steering_sent: dict[str, str] = {}  # uuid → message_id: given to the CLI as steering, not begun there yet
        self.pending = PendingRequests(self._record_request)
        self._translator = Translator()
        self._need_cli, self._end_cli, self._finished = need_cli, end_cli, finished
        self.check = TamperCheck(calls)
        self.tampered, self._dropped = "", 0  # tampered: what the CLI did wrong; nothing of it counts any more
        self.last_heard = self.last_used = time.monotonic()

    @property
    def last_active(self) -> float:
        """The time of the last action of a person or the CLI (monotonic clock, seconds)."""
        return max(self.last_used, self.last_heard)

    def say(self, said: UserSaid) -> int:
        """Acknowledge a message and return its number. The same message_id again changes nothing.

        Raises: TooMuch, StoreUnavailable: it was not taken.
        """
        self.last_used = time.monotonic()
        if known := self.projection.seqs.get(said.message_id):
            return known
        if len(self.projection.waiting) >= QUEUED:
            raise TooMuch(f"{QUEUED} messages are waiting already", code="queue_full")
        seq = self.journal.record(said)
        self.advance()
        return seq

    def answer(self, answered: Answered) -> int:
        """Record a person's decision and return its number.

        Raises: NotFound, BadInput. Conflict: it was answered otherwise before.
        """
        self.last_used = time.monotonic()
        if old := self.projection.answered.get(answered.request_id):
            if (old.decision, old.answers) == (answered.decision, answered.answers):
                return seq_of(old)
            raise Conflict("it has been answered before", code="already_answered")
        asked = self.projection.asked.get(answered.request_id)
        if asked is None:
            raise NotFound("no such request")
        check(asked, answered.decision)
        if answered.decision == "allow_always" and not answered.rule:
            answered = structs.replace(answered, rule=asked.rule)
        if answered.decision == "allow_always" and self.cli_client and not self.cli_client.allows(answered.rule, asked):
            raise BadInput("this rule does not allow what was asked; it would be asked again", code="rule_misses")
        seq = self.journal.record(answered)
        if self.pending.settle(answered):
            self._reflect()
        else:
            self.advance()
        return seq

    def unfinished(self) -> list[TextDelta | ThinkingDelta]:
        """Return the shown text of unfinished blocks."""
        return self._translator.unfinished()

    # --- turns -------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Do the next step: steer the open turn, begin a turn, or ask for a CLI."""
        if self.held:
            return
        client = self.cli_client
        if self.turn is not None:
            self._steer()
        elif client and client.stale and not self.steering_sent and (not self.background or self._next()):
            self._end_cli()
        elif not self.steering_sent and (work := self._next()):
            self._begin(client, *work) if client else self._need_cli()

    def _next(self) -> tuple[str, Message] | None:
        """Return the name of the next turn and the words that open it; None if nothing waits."""
        for request_id, (asked, answered) in self.projection.decided.items():
            self.pending.decided_before(asked, answered)
            return request_id, Message(told_later(asked, answered))
        said = next(iter(self.projection.waiting), None)
        return (said.message_id, message_of(said)) if said else None

    def _begin(self, cli_client: "Cli", name: str, words: Message) -> None:
        self.journal.become(S.BUSY, name)
        self.turn = Turn(name)
        self.last_heard = time.monotonic()
        if self.stop_next:
            self.stop_next = False
            self.finish(stopped(STOPPED))
        else:
            self.turn.words = words
            self.turn.sent_as(self.check.sent(cli_client.say(words)))
            self._reflect()  # background work may have an open request

    def attach_cli(self, cli_client: "Cli") -> None:
        """Use this CLI, which has just been started. It may still be loading, but reads its input in order."""
        self.cli_client = cli_client
        if self.turn is not None and not self.turn.stopping:  # the CLI before it did not start and never read this
            self.turn.sent_as(self.check.sent(cli_client.say(self.turn.words)))
        self.advance()

    def _steer(self) -> None:
        """Send steering messages into the open turn while a tool runs; at other times the CLI makes a turn of them."""
        turn, cli_client = self.turn, self.cli_client
        if turn is None or cli_client is None or not turn.tools or turn.stopping:
            return
        sent = set(self.steering_sent.values())
        for said in self.projection.waiting:
            if said.steer and said.message_id not in sent:
                self.steering_sent[self.check.sent(cli_client.say(message_of(said)))] = said.message_id

    def finish(self, over: TurnResult, *, then: S = S.IDLE) -> None:
        """Record the end of the open turn; unfinished text is kept as partial."""
        turn, self.turn = self.turn, None
        for left in self._translator.break_off():
            self.journal.record(left)
        end = over.event(turn.duration_s, turn.waited_s) if turn else over.event(over.duration_s)
        self.journal.record(structs.replace(end, background=len(self.background) if then is S.IDLE else 0))
        self.last_used = time.monotonic()
        self.journal.become(self.background.state(asking=self.pending.waiting) if then is S.IDLE else then)
        if turn:
            turn.over.set()
        self._finished()
        self.advance()

    def fail(self, detail: str) -> None:
        """End everything that waits, each in a turn of its own, because no CLI can be started."""
        end = TurnFinished(outcome="error", reason="cli_not_started", detail=detail[-1000:])
        works, self.stop_next, self.cli_client = int(self.turn is not None), False, None
        if self.turn is not None:
            self.turn.over.set()
            self.turn = None
            self.journal.record(end)
        while (work := self._next()) is not None:
            works += 1
            self.journal.become(S.BUSY, work[0])
            self.journal.record(end)
        if not works:
            self.journal.record(Notice(level="error", text="cli_not_started"))
        self.journal.become(S.FAILED)

    def cli_ended(self, detail: str) -> None:
        """Handle the end of the CLI. Requests stay open, unless the user has stopped their turn."""
        self.cli_client, turn = None, self.turn
        self.steering_sent.clear()
        self._outputs.clear()
        if turn and turn.stopping in (STOPPED, TAMPERED):
            self.pending.drop()
        else:
            self.pending.park()
        if turn is None:
            self.background.end("background_ended", detail=detail)
            self.journal.become(S.ASLEEP)
        elif turn.stopping:
            wrong, self.tampered = self.tampered, ""
            self.finish(stopped(turn.stopping, detail=wrong), then=S.ASLEEP)
        else:
            self.finish(TurnResult(outcome="error", reason="cli_died", detail=detail[-500:]), then=S.ASLEEP)
        self.background.end("cli_died", told=True)

    # --- output of the CLI -------------------------------------------------------------------------------------------

    def on_cli_message(self, said: Json) -> None:
        """Handle a line of the CLI."""
        self.last_heard = time.monotonic()
        try:
            for item in () if self.tampered else self._translator.feed(said):
                if wrong := self.check.seen(item):
                    self.tamper(wrong)
                    break
                self._take(item)
            self._tell_dropped()
        except StoreUnavailable:
            log.exception("session %s cannot be written; its CLI is stopped", self.journal.session)
            if self.cli_client:
                self.cli_client.cli.terminate()

    def _take(self, item: CliOutput) -> None:
        match item:
            case TakenIn():
                self._taken_in(item.uuids)
            case Began():
                self._open_turn()
            case TurnResult():
                self._turn_over(item)
            case BackgroundChanged():
                self.background.change(item.tasks, ending=self.held > 0)
                self._reflect()
            case CommandStarted():
                self._outputs.follow(item)
            case TextDelta() | ThinkingDelta() | ToolProgress() | Live():
                self.journal.show(item)
            case Text() if self.turn and self.turn.stopping:
                self.journal.record(
                    structs.replace(item, partial=True)
                )  # the text that the CLI had when it was stopped
            case ToolReturned():
                if not item.background:
                    self._outputs.finish(item.id)
                returned = with_output(item, self.turn, printed=self.journal.output(item.id))
                self.journal.record(returned)
                self._follow_tools(returned)
            case _:
                self.journal.record(item)
                self._follow_tools(item)

    def _tell_dropped(self) -> None:
        dropped = self.cli_client.cli.dropped if self.cli_client else 0
        if dropped > self._dropped:
            self.journal.record(Notice(level="warn", text="output_skipped"))
        self._dropped = dropped

    def _follow_tools(self, event: AnyEvent) -> None:
        if self.turn is None:
            return
        if isinstance(event, ToolCalled) and not event.parent:
            self.turn.tools.add(event.id)
            self.turn.plan = plan_in(event) or self.turn.plan
            self._steer()
        elif isinstance(event, ToolReturned):
            self.turn.tools.discard(event.id)

    def _taken_in(self, uuids: tuple[str, ...]) -> None:
        for name in uuids:
            if self.turn and self.turn.uuid == name:
                self.turn.begun = True
            elif message_id := self.steering_sent.pop(name, None):
                if self.turn is None:  # its turn has ended: it becomes a turn of its own
                    self.turn = Turn(message_id)
                self.turn.name = message_id
                self._reflect()

    def _open_turn(self) -> None:
        """Open a turn that the CLI began by itself, because its background work has ended."""
        if self.turn is None and self.cli_client is not None:
            self.turn = Turn(f"cli-{uuid.uuid4()}")
            self._reflect()

    def _turn_over(self, over: TurnResult) -> None:
        over = self.cli_client.with_model_name(over) if self.cli_client else over
        turn = self.turn
        if turn is None or (not turn.begun and over.uuids is not None and turn.uuid not in over.uuids):
            return  # the end of a turn that we did not begin
        self._taken_in(over.uuids or ())
        if turn.stopping and over.outcome != "ok":
            self.pending.drop()
            over = stopped(turn.stopping, over)
        if self.cli_client and over.outcome == "error" and "bad_token" in over.detail:
            self.cli_client.refused = True
        self.finish(over)

    def tamper(self, wrong: str) -> None:
        """End the CLI and everything that the session started, because the CLI did what nobody had told it."""
        log.warning("session %s: its CLI was tampered with: %s", self.journal.session, wrong)
        self.tampered = wrong
        self._open_turn()
        if self.turn:
            self.turn.stopping = TAMPERED
        if self.cli_client:
            self.cli_client.cli.kill()

    async def ask(self, request_id: str, request: ToolRequest) -> Verdict:
        """Wait for a person's decision. Background work asks without a turn of its own."""
        if not self.background:
            self._open_turn()
        if wrong := self.check.asked(request):
            self.tamper(wrong)
        verdict = await self.pending.ask(request_id, request, self.turn.plan if self.turn else "")
        self.check.decided(request.tool_id, verdict.allow)
        return verdict

    def refuse(self, request_id: str, request: ToolRequest) -> Verdict:
        """Deny a request by the agent's policy for unattended work."""
        self._open_turn()
        self.check.decided(request.tool_id, False)
        return self.pending.refuse(request_id, request, self.turn.plan if self.turn else "")

    def _record_request(self, event: Asked | Answered | Parked) -> None:
        self.journal.record(event)
        self._reflect()

    def _reflect(self) -> None:
        if self.turn:
            self.turn.waits(self.pending.waiting)
            self.journal.become(S.ASKING if self.pending.waiting else S.BUSY, self.turn.name)
        elif self.cli_client and self.projection.state is not S.STARTING:
            self.journal.become(self.background.state(asking=self.pending.waiting))
