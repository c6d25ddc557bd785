"""Every user's runner, from the web's side: found again after a restart, started when needed, held while we live.

A web process keeps nothing of a session. What it keeps here is a connection to each runner it has met, which is also
what keeps that runner alive (G4), and the news that come over it.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import msgspec

from core import disks, metrics
from core.census import Census
from core.errors import PlatformError, RunnerUnavailable, Unavailable
from core.gate import Gate
from core.hub import Hub
from core.model import SYSTEM, Box, UserId, now
from core.recovery import Change, Recovery
from core.runner_client import CALL_S, RunnerClient
from core.spawner import Poll, Spawner
from core.store import Store
from core.tasks import Tasks

log = logging.getLogger("oma.runners")

RETRY_S = 0.1
CALL_STOP_S, STOP_S, DEAF_STOP_S = 1.5, 2.5, 0.5  # both together, with the web's own drain, within the 10 s of G4
SWEEP_S = 30.0
HUNG_S = 60.0  # a runner that lives but does not answer for so long is ended; an agent can stop its own runner
ALL = 10_000  # boxes read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each runner is told at init, and when the web lets an idle one go."""

    max_live_sessions: int = 4
    idle_cli_s: float = 600.0
    orphan_s: float = 900.0
    idle_runner_s: float = 1800.0

    @property
    def told(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("max_live_sessions", "idle_cli_s", "orphan_s")}


class Runners:
    """`async with Runners(…)`: adopts what lives, holds what it starts; leaving lets go and stops nothing."""

    def __init__(self, *, store: Store, spawner: Spawner, gate: Gate, limits: Limits, sweep_s: float = SWEEP_S) -> None:
        self._store, self._spawner, self._gate, self._limits, self._sweep_s = store, spawner, gate, limits, sweep_s
        self._clients: dict[UserId, RunnerClient] = {}
        self._locks: dict[UserId, asyncio.Lock] = {}
        self._tasks = Tasks()
        self._stopping = False
        self.changes: Hub[Change] = Census(self._clients.keys)
        self.arrivals: Hub[RunnerClient] = Hub()
        self._recovery = Recovery(store=store, changes=self.changes, runner_of=self.of)

    async def __aenter__(self) -> "Runners":
        boxes = await self._store.find(Box, owner=SYSTEM, limit=ALL)
        for box in boxes:  # not waited for: one that hangs must not keep the pages from everybody else
            self._tasks.spawn(self._adopt(box), f"adopt {box.id}")
        self._tasks.spawn(self._sweep(), "sweep")
        self._tasks.spawn(disks.watch(self._spawner, living=lambda: [*self._clients.values()], stop=self.stop), "disks")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await self._tasks.cancel()
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
        if self._stopping:
            raise RunnerUnavailable("the platform is being ended")
        async with (lock := self._lock(user)):
            if client := self._clients.get(user):
                return client
            if self._lock(user) is not lock:
                raise RunnerUnavailable("the account was deleted meanwhile")
            with metrics.outcome(metrics.runner_starts, metrics.runner_start_seconds):
                return await self._start(user)

    async def instead_of(self, client: RunnerClient) -> RunnerClient:
        """The user's runner after one that was let go as somebody spoke to it. Raises: RunnerUnavailable: no other."""
        async with self._lock(client.box.user):
            pass
        fresh = await self.of(client.box.user)
        if fresh is client:
            raise RunnerUnavailable("it is still the same")
        return fresh

    async def stop(self, user: UserId) -> None:
        """End the user's runner in good order, then for certain. Whoever wants it meanwhile waits for a new one."""
        async with self._lock(user):
            await self._stop(user)

    async def _stop(self, user: UserId) -> None:
        client = self._clients.pop(user, None)
        if client is None:
            return
        grace_s = STOP_S
        try:
            await client.call("POST", "/v1/stop", timeout_s=CALL_STOP_S)
        except PlatformError as error:
            log.warning("runner %s did not take the stop: %s", client.box.id, error)
            grace_s = DEAF_STOP_S
        finally:  # also when the time for all boxes together is over
            await client.close()
        await self._spawner.stop(client.box, grace_s=grace_s)
        await self._forget(client)

    @asynccontextmanager
    async def removing(self, user: UserId) -> AsyncIterator[None]:
        """End the user's runner and delete all that boxes kept of them; while the context is open none is started."""
        async with self._lock(user):
            await self._stop(user)
            for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
                await self._bury(box)
            await self._spawner.forget(user)
            yield
            self._locks.pop(user, None)  # who waits for it asked for a user that is no more

    async def stop_all(self, *, spare_open_turns: bool) -> None:
        """End all runners at once; with `spare_open_turns` those that work stay (a deploy, G4)."""
        self._stopping = True
        users = list(self._clients)
        if spare_open_turns:
            busy = await asyncio.gather(*(self._has_open_turn(user) for user in users))
            users = [user for user, open_turn in zip(users, busy, strict=True) if not open_turn]
        else:
            users += [user for user, lock in self._locks.items() if lock.locked()]  # theirs is just being started
            boxes = await self._store.find(Box, owner=SYSTEM, limit=ALL)
            await asyncio.gather(*(self._end_unmet(box) for box in boxes), return_exceptions=True)
        await asyncio.gather(*(self.stop(user) for user in users), return_exceptions=True)

    async def _end_unmet(self, box: Box) -> None:
        """A box of an earlier web that we were only just adopting."""
        if box.user not in self._clients and not self._lock(box.user).locked():
            await self._bury(box)

    async def _bury(self, box: Box) -> None:
        """Certainly ended, then forgotten. It may live though nobody knows its process: see `_start`."""
        await self._spawner.stop(box, grace_s=0)
        await self._store.delete(Box, box.id, owner=SYSTEM)

    async def _has_open_turn(self, user: UserId) -> bool:
        try:
            return bool((await self._clients[user].call("GET", "/v1/status", timeout_s=2.0)).get("open_turns"))
        except (PlatformError, KeyError):
            return True

    async def _start(self, user: UserId) -> RunnerClient:
        for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
            if await self._spawner.poll(box) is not Poll.GONE:
                return await self._bind(box)
            await self._bury(box)
        box = Box(id=secrets.token_hex(5), user=user, key=secrets.token_urlsafe(32), started_at=now())
        await self._store.put(box, owner=SYSTEM)  # first: if we are killed now, the next web knows what to look for
        try:
            box = await self._spawn(box)
            await self._store.put(box, owner=SYSTEM)
            if self._stopping:
                raise RunnerUnavailable("the platform is being ended")
            return await self._bind(box)
        except BaseException:
            await self._bury(box)
            raise

    async def _spawn(self, box: Box) -> Box:
        """Started, with what the spawner remembers of it; nothing is left if this is cancelled meanwhile."""
        starting = asyncio.ensure_future(self._spawner.start(box))
        try:
            return msgspec.structs.replace(box, memory=await asyncio.shield(starting))
        except asyncio.CancelledError:
            await self._spawner.stop(msgspec.structs.replace(box, memory=await starting), grace_s=0)
            raise

    async def _adopt(self, box: Box) -> None:
        try:
            if await self._spawner.poll(box) is Poll.GONE:
                await self._bury(box)
                self._tasks.spawn(self._recovery.after_death(box.user), "recover")
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
        await self._gate.register(box)
        client = RunnerClient(box, self._spawner.door(box))
        await client.init({"user": box.user, "box": box.id, "key": box.key, **self._limits.told}, spawner=self._spawner)
        self._clients[box.user] = client
        self._tasks.spawn(self._hold(client), f"hold {box.id}")
        self.arrivals.say(box.user, client)
        return client

    # --- while it lives ----------------------------------------------------------------------------------------------

    async def _hold(self, client: RunnerClient) -> None:
        """Keep a socket open to it and pass on its news until it is gone."""
        user, clock = client.box.user, asyncio.get_running_loop().time
        heard = clock()
        while not client.closed:
            if self._clients.get(user) is not client:  # it is being ended, or asked whether it may be
                await asyncio.sleep(RETRY_S)
                continue
            try:
                async with client.socket("/v1/hold") as socket:
                    async for frame in socket:
                        heard = clock()
                        if frame.type is aiohttp.WSMsgType.TEXT:
                            self._tell(user, frame.data)
                    heard = clock()
            except (RunnerUnavailable, aiohttp.ClientError, OSError) as error:
                log.info("lost the hold on runner %s: %s", client.box.id, error)
            hung = clock() - heard > HUNG_S
            gone = hung or await self._spawner.poll(client.box) is Poll.GONE
            if gone and self._clients.get(user) is client:
                del self._clients[user]
                await self._forget(client)
                if not self._stopping:
                    self._tasks.spawn(self._recovery.after_death(user), "recover")
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

    async def _sweep(self) -> None:
        """Let runners go that have done nothing for `idle_runner_s`; waking them costs a second."""
        while True:
            await asyncio.sleep(self._sweep_s)
            for client in list(self._clients.values()):
                await self._spawner.poll(client.box)  # which also keeps its log short
                try:
                    status = await client.call("GET", "/v1/status", timeout_s=2.0)
                except PlatformError:
                    continue
                if not status.get("open_turns") and float(status.get("idle_s", 0)) > self._limits.idle_runner_s:
                    await self._let_go(client)

    async def _let_go(self, client: RunnerClient) -> None:
        """End it if it is still idle. That it says itself: a message may have come since we asked."""
        user, ended = client.box.user, False
        async with self._lock(user):
            if self._clients.get(user) is not client:
                return
            del self._clients[user]  # who wants it from now on waits for what comes of this
            try:
                await client.call("POST", "/v1/stop", {"idle_s": self._limits.idle_runner_s}, timeout_s=CALL_S)
                ended = True
            except PlatformError as error:
                log.info("runner %s stays: %s", client.box.id, error)
                return
            finally:
                if not ended:
                    self._clients[user] = client
                    self.arrivals.say(user, client)
            await self._spawner.stop(client.box, grace_s=STOP_S)
            await self._forget(client)
