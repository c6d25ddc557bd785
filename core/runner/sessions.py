"""All sessions of the user: opened from their logs, with a limited number of CLIs, and ended when nobody needs them."""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, KeysView
from functools import partial
from pathlib import Path

import msgspec

from core.domain.errors import NotFound, PlatformError, StoreUnavailable, Unavailable
from core.domain.events import SessionOpened, decode
from core.lib.tasks import Tasks, repeat
from core.protocol.runner_api import SessionChange, SessionLimits, SessionStatus, Status
from core.runner import log as log_files
from core.runner.cli_launcher import CliLauncher
from core.runner.cli_sessions import cli_sessions
from core.runner.conversation import STOPPED
from core.runner.gateway_client import AWAY_S
from core.runner.journal import Journal
from core.runner.log import LOG_FORGED, EventLog
from core.runner.outbox import CURSOR, Outbox, read_cursor
from core.runner.processes import Reaper
from core.runner.seal import Seal
from core.runner.session import Session
from core.runner.versions.working_folder import forget_agent

log = logging.getLogger("oma.sessions")

LOOK_S = 1.0
FLUSH_S = 1.5  # for the gateway to take what is left when the runner ends


class Sessions:
    """The sessions of a runner. Call `open_all` once, then `get`, `put` and so on; `close` ends everything."""

    def __init__(self, launcher: CliLauncher, limits: SessionLimits, log_key: bytes) -> None:
        self.limits, self._log_key = limits, log_key
        self._launcher = launcher
        self._folder = launcher.place.home / ".oma" / "sessions"
        self._sessions: dict[str, Session] = {}
        self._outboxes: dict[str, tuple[Outbox, asyncio.Task[None]]] = {}
        self._tasks = Tasks()
        self._changed: set[Callable[[str], None]] = set()
        self._admission = asyncio.Lock()
        self._room = asyncio.Event()
        self._reaper = Reaper()
        self._opened = time.monotonic()

    def open_all(self, *, take_over: bool = False) -> None:
        """Open the sessions that have something to do: an open turn, a queue, or events that the gateway lacks.

        `take_over`: logs without marks are of a version that made none, and are believed.
        Raises: OSError: there is no folder for them; nothing was begun.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = sorted(self._folder.glob("*.jsonl"))
        for path in paths if take_over else ():
            try:
                log_files.take_over(path, self._log_key)
            except (OSError, PlatformError) as error:
                log.warning("the log %s cannot be taken over: %s", path.name, error)
        self._tasks.spawn(repeat(self._look, every_s=LOOK_S, name="the look at the sessions"), "look")
        for path in paths:
            try:
                cursor = read_cursor(path.with_suffix(CURSOR), Seal(self._log_key, path.stem + CURSOR))
                if not (cursor.at_rest and cursor.size_bytes == path.stat().st_size):
                    self._open(path.stem)
            except (
                OSError,
                PlatformError,
            ) as error:  # the others still open; a caller that asks for this one gets the error
                log.warning("the log %s cannot be opened: %s", path.name, error)

    def marks_with(self, key: str) -> bool:
        """Return True if what is written here carries marks of this key."""
        return bool(key) and self._log_key == key.encode()

    # --- sessions ----------------------------------------------------------------------------------------------------

    def get(self, session: str) -> Session:
        """Return a session. Raises: NotFound. StoreUnavailable: its log cannot be opened."""
        if found := self._sessions.get(session):
            return found
        if not (self._folder / f"{session}.jsonl").is_file():
            raise NotFound("no such session")
        return self._open(session)

    def put(self, session: str, agent: str, kind: str) -> Session:
        """Return the session; a new one gets a log, and its agent a folder.

        Raises: StoreUnavailable: one of them cannot be created.
        """
        try:
            self._launcher.place.folder(agent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"the agent's folder cannot be made: {error}") from error
        found = self._sessions.get(session) or self._open(session)
        found.conversation.last_used = time.monotonic()
        if not found.journal.log.last_seq:
            found.journal.record(SessionOpened(agent=agent, kind=kind))
        return found

    def _open(self, session: str) -> Session:
        try:
            file, events = EventLog.open(self._folder / f"{session}.jsonl", self._log_key)
        except OSError as error:
            raise StoreUnavailable(f"the log cannot be opened: {error}") from error
        journal = Journal(session, file, events, lambda: self._stored(session), self._launcher.known)
        found = Session(journal, self._launcher, spawn=self._tasks.spawn, room=self._make_room, rested=self._room.set)
        kept = partial(self._tell, session)
        forged = partial(self._tell_forged, found)
        outbox = Outbox(journal, self._launcher.gateway, rejoined=found.conversation.advance, kept=kept, forged=forged)
        self._sessions[session] = found
        self._outboxes[session] = (outbox, self._tasks.spawn(outbox.run(), f"ingest {session}"))
        try:
            found.recover()
            if file.forged:
                self._tell_forged(found)
        except PlatformError:  # a half recovered session would be stuck; opening it again continues from its log
            del self._sessions[session]
            self._outboxes.pop(session)[1].cancel()
            file.close()
            raise
        return found

    async def delete(self, session: str) -> None:
        """End the session and remove its log and transcripts. Idempotent."""
        with contextlib.suppress(NotFound):
            found = self.get(session)
            found.closed = True
            await found.sleep()
            await self._forget(found)
        known = cli_sessions(session, self._folder / f"{session}.jsonl")
        traces = [path for each in known for path in self._launcher.place.traces(each)]
        for path in (*self._folder.glob(f"{session}.*"), *traces):
            await asyncio.to_thread(_remove, path)

    async def delete_agent(self, agent: str) -> None:
        """Remove the agent's folder and all its sessions."""
        for path in list(self._folder.glob("*.jsonl")):
            if await asyncio.to_thread(_agent_of, path) == agent:
                await self.delete(path.stem)
        await asyncio.to_thread(shutil.rmtree, self._launcher.place.folder(agent), ignore_errors=True)
        await asyncio.to_thread(forget_agent, self._launcher.place.home, agent)

    def end_clis(self, agent: str) -> None:
        """End the agent's CLIs, because its permissions have changed; the next ones get the new ones."""
        for session in self._sessions.values():
            if session.journal.projection.agent == agent and session.alive:
                self._tasks.spawn(session.sleep(STOPPED), f"rest {session.id}")

    def renew_clis(self, agent: str) -> None:
        """Begin the agent's next turns in new CLIs; an open turn ends in the present one."""
        for session in list(self._sessions.values()):
            if session.journal.projection.agent == agent:
                session.outdate()

    def end_working(self, reason: str) -> None:
        """End the CLIs and everything that sessions started; without an open turn, a notice tells the reason."""
        for session in self._sessions.values():
            if session.alive:
                if session.conversation.turn is None:
                    session.journal.tell(reason)
                self._tasks.spawn(session.sleep(reason), f"{reason} {session.id}")

    async def _forget(self, found: Session) -> None:
        self._sessions.pop(found.id, None)
        _, task = self._outboxes.pop(found.id)
        task.cancel()
        await asyncio.wait([task])
        found.journal.log.close()

    # --- state for clients -----------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return the states of all open sessions; by it the web decides whether this runner may be stopped."""
        return Status(
            open_turns=self.open_turns,
            idle_s=round(self.idle_s, 1),
            live=sum(session.alive for session in self._sessions.values()),
            sessions=tuple(
                SessionStatus(id=change.session, agent=change.agent, state=change.state, last_seq=change.last_seq)
                for change in map(self.change, self._sessions)
            ),
        )

    @property
    def open_turns(self) -> int:
        """The number of sessions with an open turn, waiting messages or background work."""
        return sum(
            bool(s.conversation.turn or s.journal.projection.waiting or s.has_background)
            for s in self._sessions.values()
        )

    @property
    def idle_s(self) -> float:
        """The seconds since a person or a CLI did something in any session; reading does not count. 0 while a turn is
        open.
        """
        if self.open_turns:
            return 0.0
        return time.monotonic() - max([self._opened, *(s.conversation.last_active for s in self._sessions.values())])

    @property
    def known(self) -> KeysView[str]:
        """The ids of the sessions that are open here. All others sleep."""
        return self._sessions.keys()

    def change(self, session: str) -> SessionChange:
        """Return the state of an open session."""
        journal = self._sessions[session].journal
        projection = journal.projection
        outbox, _ = self._outboxes[session]
        return SessionChange(
            session=session,
            agent=projection.agent,
            state=projection.state,
            last_seq=journal.log.last_seq,
            line=projection.line,
            outcome=projection.outcome,
            reason=projection.reason,
            asking=len(projection.asked),
            stored_seq=outbox.stored_seq,
        )

    @contextlib.contextmanager
    def changes(self, changed: Callable[[str], None]) -> Iterator[None]:
        """Call `changed(session)` at every event, and when the Store has it too, until the context is left."""
        self._changed.add(changed)
        try:
            yield
        finally:
            self._changed.discard(changed)

    def _stored(self, session: str) -> None:
        if entry := self._outboxes.get(session):
            entry[0].wake()
        self._tell(session)

    def _tell(self, session: str) -> None:
        for changed in self._changed:
            changed(session)

    def _tell_forged(self, session: Session) -> None:
        """Say in the session that another program changed its log, and end the CLI whose program may have done it."""
        log.warning("session %s: its log was changed by another program", session.id)
        session.journal.tell(LOG_FORGED)
        if session.conversation.cli_client is not None:
            session.conversation.tamper(LOG_FORGED)

    # --- lifetimes ---------------------------------------------------------------------------------------------------

    async def _make_room(self, session: Session) -> None:
        """Wait until one more CLI may run. Others end in the order of `_age`.

        Before that, the Store has been asked whether the log was cut: an old log would make old messages new ones.
        Raises: Unavailable: the Store cannot be asked.
        """
        try:
            await asyncio.wait_for(self._outboxes[session.id][0].compared.wait(), AWAY_S)
        except TimeoutError as error:
            raise Unavailable("the gateway does not take the events of this session") from error
        async with self._admission:
            while True:
                # Not those that wait here themselves: each would wait for the others without end.
                living = [other for other in self._sessions.values() if other.admitted and other is not session]
                if len(living) < self.limits.max_live_sessions:
                    session.admitted = True
                    return
                if victim := min((s for s in living if not s.working), key=_age, default=None):
                    await victim.sleep()
                else:
                    self._room.clear()
                    with contextlib.suppress(
                        TimeoutError
                    ):  # one that waits for a person makes room without being interrupted
                        await asyncio.wait_for(self._room.wait(), LOOK_S)

    async def _look(self) -> None:
        self._reaper.reap()
        now = time.monotonic()
        for session in list(self._sessions.values()):
            with contextlib.suppress(StoreUnavailable):  # the next write reports it
                session.check_idle(now)
            idle_s = now - session.conversation.last_used
            if session.alive and not session.busy and idle_s > self.limits.idle_cli_s:
                self._tasks.spawn(session.sleep(), f"idle {session.id}")

    async def close(self, reason: str) -> None:
        """Interrupt open turns, park requests, end CLIs and flush events. Takes up to 6 s."""
        for session in self._sessions.values():
            session.closed = True
        ends = await asyncio.gather(*(s.sleep(reason) for s in self._sessions.values()), return_exceptions=True)
        for error in filter(None, ends):
            log.error("a session did not end in good order", exc_info=error)
        flushing = [asyncio.ensure_future(outbox.flushed()) for outbox, _ in self._outboxes.values()]
        if flushing:
            await asyncio.wait(flushing, timeout=FLUSH_S)
        for flush in flushing:
            flush.cancel()
        await asyncio.gather(self._tasks.cancel(), *flushing, return_exceptions=True)
        for session in self._sessions.values():
            session.journal.log.close()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _agent_of(path: Path) -> str:
    with path.open("rb") as lines, contextlib.suppress(msgspec.DecodeError):
        first = decode(lines.readline())
        return first.agent if isinstance(first, SessionOpened) else ""
    return ""


def _age(session: Session) -> tuple[bool, bool, float]:
    """Sort key for making room: idle sessions first, then those that wait for a person, then background work."""
    return bool(session.conversation.background), session.conversation.turn is not None, session.conversation.last_used
