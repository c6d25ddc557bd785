"""Every user's runner, from the web's side: found again after a restart, started when needed, held while we live.

A web process keeps nothing of a session. What it keeps here is a connection to each runner it has met, which is also
what keeps that runner alive (G4), and the news that come over it.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from core.errors import NotFound, PlatformError, RunnerUnavailable, Unavailable
from core.gate import Gate
from core.hub import Hub
from core.model import SYSTEM, Box, Session, UserId, now
from core.runner_client import RunnerClient
from core.spawner import Poll, Spawner
from core.states import OPEN_TURN, SessionState
from core.store import Store

log = logging.getLogger("oma.runners")

READY_S = 20.0  # from the start of the box to an answer; a cold interpreter on a busy laptop
RETRY_S = 0.1
CALL_STOP_S, STOP_S = 2.0, 4.0  # both together, with the web's own drain, within the 10 s of G4
SWEEP_S = 30.0
RECOVERIES = 3  # a box that dies with an open turn is started again so often in RECOVERY_WINDOW_S, then left alone
RECOVERY_WINDOW_S = 300.0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a session changed; `line` is the last thing said or done in it."""

    session: str
    agent: str
    state: SessionState
    last_seq: int = 0
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each runner is told at init, and when the web lets an idle one go."""

    max_live_sessions: int = 4
    idle_cli_s: float = 600.0
    orphan_s: float = 900.0
    idle_runner_s: float = 1800.0


class Runners:
    """`async with Runners(…)`: adopts what lives, holds what it starts; leaving lets go and stops nothing."""

    def __init__(self, *, store: Store, spawner: Spawner, gate: Gate, limits: Limits) -> None:
        self._store, self._spawner, self._gate, self._limits = store, spawner, gate, limits
        self._clients: dict[UserId, RunnerClient] = {}
        self._locks: dict[UserId, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaths: dict[UserId, list[float]] = {}
        self._stopping = False
        self.changes: Hub[Change] = Hub()
        self.arrivals: Hub[RunnerClient] = Hub()

    async def __aenter__(self) -> "Runners":
        boxes = await self._store.find(Box, owner=SYSTEM, limit=10_000)
        for box in boxes:  # not waited for: one that hangs must not keep the pages from everybody else
            self._task(self._adopt(box), f"adopt {box.id}")
        self._task(self._sweep(), "sweep")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    def at_hand(self, user: UserId) -> RunnerClient | None:
        """The user's runner if one is running now."""
        return self._clients.get(user)

    async def of(self, user: UserId) -> RunnerClient:
        """The user's runner, started if there is none.

        Raises: RunnerUnavailable: it did not start; the text says why.
        """
        if client := self._clients.get(user):
            return client
        async with self._lock(user):
            if client := self._clients.get(user):
                return client
            return await self._start(user)

    async def stop(self, user: UserId) -> None:
        """End the user's runner in good order, then for certain."""
        client = self._clients.pop(user, None)
        if client is None:
            return
        try:
            await client.call("POST", "/v1/stop", timeout_s=CALL_STOP_S)
        except PlatformError as error:
            log.warning("runner %s did not take the stop: %s", client.box.id, error)
        await self._spawner.stop(client.box, grace_s=STOP_S)
        await self._forget(client)

    async def stop_all(self, *, spare_open_turns: bool) -> None:
        """End all runners at once; with `spare_open_turns` those that work stay (a deploy, G4)."""
        self._stopping = True
        users = list(self._clients)
        if spare_open_turns:
            busy = await asyncio.gather(*(self._has_open_turn(user) for user in users))
            users = [user for user, open_turn in zip(users, busy, strict=True) if not open_turn]
        else:
            await asyncio.gather(*(self._end_unmet(box) for box in await self._store.find(Box, owner=SYSTEM)))
        await asyncio.gather(*(self.stop(user) for user in users), return_exceptions=True)

    async def _end_unmet(self, box: Box) -> None:
        """A box of an earlier web that we were only just adopting."""
        if box.user not in self._clients:
            await self._spawner.stop(box, grace_s=0)
            await self._store.delete(Box, box.id, owner=SYSTEM)

    async def _has_open_turn(self, user: UserId) -> bool:
        try:
            status = await self._clients[user].call("GET", "/v1/status", timeout_s=2.0)
        except (PlatformError, KeyError):
            return True
        return bool(status.get("open_turns"))

    # --- start and adopt -------------------------------------------------------------------------------------------

    async def _start(self, user: UserId) -> RunnerClient:
        for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
            if await self._spawner.poll(box) is not Poll.GONE:
                return await self._bind(box)
            await self._store.delete(Box, box.id, owner=SYSTEM)
        box = Box(id=secrets.token_hex(5), user=user, key=secrets.token_urlsafe(32), started_at=now())
        box = msgspec.structs.replace(box, memory=await self._spawner.start(box))
        try:
            await self._store.put(box, owner=SYSTEM)
            await self._gate.register(box)
            return await self._bind(box)
        except BaseException:
            await self._spawner.stop(box, grace_s=0)
            await self._store.delete(Box, box.id, owner=SYSTEM)
            raise

    async def _adopt(self, box: Box) -> None:
        try:
            if await self._spawner.poll(box) is Poll.GONE:
                await self._store.delete(Box, box.id, owner=SYSTEM)
                self._task(self._recover(box.user), "recover")
                return
            async with self._lock(box.user):
                if box.user not in self._clients:
                    await self._bind(box)
        except Unavailable as error:
            log.warning("runner %s was not adopted: %s", box.id, error)

    def _lock(self, user: UserId) -> asyncio.Lock:
        return self._locks.setdefault(user, asyncio.Lock())

    async def _bind(self, box: Box) -> RunnerClient:
        """Wait until it answers, tell it whose it is, and hold it from now on."""
        client = RunnerClient(box, self._spawner.door(box))
        init = {"user": box.user, "box": box.id, "key": box.key} | {
            name: getattr(self._limits, name) for name in ("max_live_sessions", "idle_cli_s", "orphan_s")
        }
        try:
            async with asyncio.timeout(READY_S):
                while True:
                    try:
                        await client.call("POST", "/v1/init", init, timeout_s=READY_S)
                        break
                    except RunnerUnavailable:
                        if await self._spawner.poll(box) is Poll.GONE:
                            raise
                        await asyncio.sleep(RETRY_S)
        except (TimeoutError, PlatformError) as error:
            await client.close()
            raise RunnerUnavailable(f"the runner of {box.user} did not get ready: {error}") from error
        self._clients[box.user] = client
        self._task(self._hold(client), f"hold {box.id}")
        self.arrivals.say(box.user, client)
        return client

    # --- while it lives ----------------------------------------------------------------------------------------------

    async def _hold(self, client: RunnerClient) -> None:
        """Keep a socket open to it and pass on its news until it is gone."""
        user = client.box.user
        while self._clients.get(user) is client:
            try:
                async with client.socket("/v1/hold") as socket:
                    async for frame in socket:
                        if frame.type is aiohttp.WSMsgType.TEXT:
                            self._tell(user, frame.data)
            except (RunnerUnavailable, aiohttp.ClientError, OSError) as error:
                log.info("lost the hold on runner %s: %s", client.box.id, error)
            if self._clients.get(user) is client and await self._spawner.poll(client.box) is Poll.GONE:
                del self._clients[user]
                await self._forget(client)
                if not self._stopping:
                    self._task(self._recover(user), "recover")
                return
            await asyncio.sleep(RETRY_S)

    def _tell(self, user: UserId, frame: str) -> None:
        try:
            change = msgspec.json.decode(frame, type=Change)
        except msgspec.MsgspecError:
            return
        self.changes.say(user, change)

    async def _forget(self, client: RunnerClient) -> None:
        await client.close()
        await self._spawner.stop(client.box, grace_s=0)
        try:
            await self._store.delete(Box, client.box.id, owner=SYSTEM)
            await self._gate.unregister(client.box.id)
        except Unavailable as error:
            log.info("the gateway will notice by itself: %s", error)

    async def _recover(self, user: UserId) -> None:
        """Nothing is RUNNING for ever: a dead runner's open turns are ended by its successor, from the log."""
        sessions = await self._store.find(Session, owner=user, newest_by="updated_at", limit=200)
        lost = [session for session in sessions if session.state in OPEN_TURN]
        for session in sessions:
            if session.state in (SessionState.IDLE, SessionState.STARTING):
                await self._put_to_sleep(session, user)
        clock = asyncio.get_running_loop().time()
        deaths = [at for at in self._deaths.get(user, []) if clock - at < RECOVERY_WINDOW_S]
        self._deaths[user] = [*deaths, clock]
        if not lost or len(deaths) >= RECOVERIES:
            return
        try:
            client = await self.of(user)
            for session in lost:
                await client.call("PUT", f"/v1/sessions/{session.id}", opening(session))
        except PlatformError as error:
            log.warning("recovery for %s: %s", user, error)

    async def _put_to_sleep(self, session: Session, user: UserId) -> None:
        try:
            await self._store.change(Session, session.id, owner=user, state=SessionState.ASLEEP)
        except NotFound:
            return
        self.changes.say(user, Change(session=session.id, agent=session.agent, state=SessionState.ASLEEP))

    async def _sweep(self) -> None:
        """Let runners go that have done nothing for `idle_runner_s`; waking them costs a second."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for user, client in list(self._clients.items()):
                await self._spawner.poll(client.box)  # which also keeps its log short
                try:
                    status = await client.call("GET", "/v1/status", timeout_s=2.0)
                except PlatformError:
                    continue
                if not status.get("open_turns") and float(status.get("idle_s", 0)) > self._limits.idle_runner_s:
                    await self.stop(user)

    def _task(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task %s ended: %r", task.get_name(), error, exc_info=error)


def opening(session: Session) -> dict[str, str]:
    """The body of `PUT /v1/sessions/{id}`."""
    return {"agent": session.agent, "kind": session.kind, "locale": session.locale, "title": session.title}
