"""Every user's runner, from the web's side: found again after a restart, started when needed, held while we live.

A web process keeps nothing of a session. What it keeps here is a connection to each runner it has met, which is also
what keeps that runner alive (G4), and the news that come over it.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from core.domain.errors import NotFound, PlatformError, RunnerUnavailable, Unavailable
from core.domain.records import SYSTEM, Box, UserId, now
from core.fleet import idle_reaper, quota_enforcer
from core.fleet.gateway_link import GatewayLink
from core.fleet.idle_reaper import IdleLimits
from core.fleet.liveness import confirm_dead, hold, was_restarted
from core.fleet.recovery import Recovery
from core.fleet.runner_client import RunnerClient, WrongProtocol
from core.fleet.session_feed import SessionFeed
from core.fleet.starts import News, RunnerStarts, WaitingState
from core.fleet.user_lock import UserLock
from core.lib.pubsub import Hub
from core.lib.tasks import Tasks
from core.observability import metrics
from core.spawner import Phase, Poll, Spawner
from core.store import Store

log = logging.getLogger("oma.runners")

CALL_STOP_S, STOP_S, DEAF_STOP_S = 1.5, 2.5, 0.5  # both together, with the web's own drain, within the 10 s of G4
SWEEP_S = 30.0
AGAIN_S = 1.0  # after what nobody had foreseen
ALL = 10_000  # boxes read at once


class RunnerPool:
    """`async with Runners(…)`: adopts what lives, holds what it starts; leaving lets go and stops nothing."""

    def __init__(
        self, *, store: Store, spawner: Spawner, gate: GatewayLink, limits: IdleLimits, sweep_s: float = SWEEP_S
    ) -> None:
        self._store, self._spawner, self._gate, self._limits, self._sweep_s = store, spawner, gate, limits, sweep_s
        self._clients: dict[UserId, RunnerClient] = {}
        self._turns = UserLock(store)
        self._tasks = Tasks()
        self._stopping = False
        self.changes = SessionFeed(self._clients.keys)
        self.arrivals: Hub[News] = Hub()
        self._waking = RunnerStarts(self._begin, self.arrivals)
        self._recovery = Recovery(store=store, changes=self.changes, runner_of=self.get_or_start)

    async def __aenter__(self) -> "RunnerPool":
        boxes = await self._store.find(Box, owner=SYSTEM, limit=ALL)
        for box in boxes:  # not waited for: one that hangs must not keep the pages from everybody else
            self._tasks.spawn(self._adopt(box), f"adopt {box.id}")
        self._tasks.spawn(
            idle_reaper.watch(self._living, self._stop_if_idle, self._limits, every_s=self._sweep_s), "sweep"
        )
        self._tasks.spawn(quota_enforcer.watch(self._spawner, living=self._living, stop=self.stop), "disks")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*(self._waking.cancel(user) for user in self._waking))
        await self._tasks.cancel()
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    def _living(self) -> list[RunnerClient]:
        return list(self._clients.values())

    def running(self, user: UserId) -> RunnerClient | None:
        """The user's runner if one is running now."""
        return self._clients.get(user)

    async def get_or_start(self, user: UserId) -> RunnerClient:
        """The user's runner, started if there is none.

        Raises: RunnerUnavailable: it did not start; the text says why.
        """
        if client := self._clients.get(user):
            return client
        if self._stopping:
            raise RunnerUnavailable("the platform is being ended")
        return await self._waking.wait(user)

    def waiting(self, user: UserId) -> WaitingState | None:
        """How far the start of the user's runner is, if one is under way here."""
        return self._waking.at(user)

    async def adopt_foreign(self, user: UserId) -> None:
        """Meet a runner that another web process has started."""
        if self._spawner.shared and user not in self._clients and user not in self._waking:
            for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
                await self._adopt(box)

    async def _begin(self, user: UserId) -> RunnerClient:
        async with self._turns.hold(user):
            if client := self._clients.get(user):
                return client
            with metrics.outcome(metrics.runner_starts, metrics.runner_start_seconds):
                return await self._start(user)

    async def replace_failed(self, client: RunnerClient, *, stopping: bool = False) -> RunnerClient:
        """The user's runner after one that failed: the next one, if it is `stopping` or has died, else the same.

        Raises: RunnerUnavailable: it does not answer, and lives.
        """
        user = client.box.user
        async with self._turns.hold(user):
            held = partial(self._is_held, client)  # asked again: who holds it may see its end while we wait for that
            if held() and await confirm_dead(client, self._spawner, stopping=stopping) and held():
                del self._clients[user]
                await self._forget(client)
                self._tasks.spawn(self._recovery.after_death(user), "recover")
        return await self.get_or_start(user)

    async def stop(self, user: UserId) -> None:
        """End the user's runner in good order, then for certain. Whoever wants it meanwhile waits for a new one."""
        await self._waking.cancel(user)
        async with self._turns.hold(user):
            await self._stop(user)
            for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):  # another web's
                await self._end_unmet(box)

    async def _stop(self, user: UserId) -> None:
        client = self._clients.pop(user, None)
        if client is None:
            return
        grace_s = STOP_S
        try:
            await client.stop(timeout_s=CALL_STOP_S)
        except PlatformError as error:
            log.warning("runner %s did not take the stop: %s", client.box.id, error)
            grace_s = DEAF_STOP_S
        finally:  # also when the time for all boxes together is over
            await client.close()
        await self._spawner.stop(client.box, grace_s=grace_s)
        await self._forget(client)

    @asynccontextmanager
    async def purge(self, user: UserId) -> AsyncIterator[None]:
        """End the user's runner and delete all that boxes kept of them; while the context is open none is started."""
        await self._waking.cancel(user)
        async with self._turns.hold(user):
            await self._stop(user)
            for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
                await self._discard(box)
            await self._spawner.forget(user)
            yield
            await self._waking.cancel(user)  # who asked meanwhile asked for a user that is no more
            self._turns.forget(user)

    async def stop_all(self, *, spare_open_turns: bool) -> None:
        """End all runners at once; with `spare_open_turns` those that work stay (a deploy, G4)."""
        self._stopping = True
        await asyncio.gather(*(self._waking.cancel(user) for user in self._waking))
        users = list(self._clients)
        if spare_open_turns and self._spawner.shared:
            return  # other web processes are there, and so are their pages
        if spare_open_turns:
            busy = await asyncio.gather(*(client.has_open_turn() for client in self._living()))
            users = [user for user, open_turn in zip(users, busy, strict=True) if not open_turn]
        else:
            boxes = await self._store.find(Box, owner=SYSTEM, limit=ALL)
            await asyncio.gather(*(self._end_unmet(box) for box in boxes), return_exceptions=True)
        await asyncio.gather(*(self.stop(user) for user in users), return_exceptions=True)

    async def _end_unmet(self, box: Box) -> None:
        """A box of an earlier web that we were only just adopting."""
        if box.user not in self._clients:
            await self._discard(box)

    async def _discard(self, box: Box) -> None:
        """Certainly ended, then forgotten. It may live though nobody knows its process: see `_start`."""
        await self._spawner.stop(box, grace_s=0)
        await self._store.delete(Box, box.id, owner=SYSTEM)

    async def _start(self, user: UserId) -> RunnerClient:
        for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
            if await self._spawner.poll(box) is not Poll.GONE:
                try:
                    return await self._bind(box)
                except RunnerUnavailable as error:  # it lives, and does not answer: nobody will ever hear of it
                    log.warning("runner %s is ended: %s", box.id, error)
            await self._discard(box)
            self._tasks.spawn(self._recovery.after_death(user), "recover")
        box = Box(id=secrets.token_hex(5), user=user, key=secrets.token_urlsafe(32), started_at=now())
        await self._store.put(box, owner=SYSTEM)  # first: if we are killed now, the next web knows what to look for
        tell = partial(self._waking.tell, user)
        try:
            box = msgspec.structs.replace(box, spawner_state=await self._spawner.start(box, tell))
            await self._store.put(box, owner=SYSTEM)
            tell(Phase.ANSWERING)
            return await self._bind(box)
        except BaseException:
            await self._discard(box)
            raise

    async def _adopt(self, box: Box) -> None:
        """Hold a runner that is in the Store; if it has died since, or begun anew, what it left open is seen to."""
        try:
            async with self._turns.hold(box.user):
                if box.user in self._clients:
                    return
                box = await self._store.get(Box, box.id, owner=SYSTEM)  # while we waited, another web may have had it
                if dead := await self._spawner.poll(box) is Poll.GONE:
                    await self._discard(box)
                else:
                    dead = await was_restarted(box, self._spawner)
                    try:
                        await self._bind(box)
                    except WrongProtocol as error:
                        log.info("runner %s is started anew: %s", box.id, error)
                        await self._discard(box)
                        dead = True
        except (Unavailable, NotFound) as error:
            log.warning("runner %s was not adopted: %s", box.id, error)
            return
        if dead:
            self._tasks.spawn(self._recovery.after_death(box.user), "recover")

    async def _bind(self, box: Box) -> RunnerClient:
        """Wait until it answers, tell it whose it is, and hold it from now on."""
        await self._gate.register(box)
        client = RunnerClient(box, self._spawner.door(box))
        await client.init(self._limits.init(box), spawner=self._spawner)
        self._clients[box.user] = client
        self._tasks.spawn(self._hold(client), f"hold {box.id}")
        self.arrivals.publish(box.user, client)
        return client

    # --- while it lives ----------------------------------------------------------------------------------------------

    async def _hold(self, client: RunnerClient) -> None:
        """Keep a socket open to it and pass on its news until it is gone."""
        user, gone = client.box.user, None
        ours, tell = partial(self._is_held, client), partial(self.changes.publish, client.box.user)
        while gone is None:
            try:
                gone = await hold(client, self._spawner, ours=ours, tell=tell)
            except Exception:  # whatever it was: a runner that nobody holds would end itself under its user's hands
                log.exception("the hold on runner %s", client.box.id)
                await asyncio.sleep(AGAIN_S)
        if gone:
            del self._clients[user]
            await self._lost(client)

    def _is_held(self, client: RunnerClient) -> bool:
        return self._clients.get(client.box.user) is client

    async def _lost(self, client: RunnerClient) -> None:
        """Who deletes its record sees to what it left open; where there is none, somebody else has, or ended it."""
        await client.close()
        try:
            async with self._turns.hold(client.box.user):
                await self._store.get(Box, client.box.id, owner=SYSTEM)
                await self._forget(client)
        except NotFound:
            return
        except Unavailable as error:
            log.warning("runner %s: %s", client.box.id, error)
        if not self._stopping:
            self._tasks.spawn(self._recovery.after_death(client.box.user), "recover")

    async def _forget(self, client: RunnerClient) -> None:
        await client.close()
        try:
            await self._spawner.stop(client.box, grace_s=0)
            await self._store.delete(Box, client.box.id, owner=SYSTEM)
            await self._gate.unregister(client.box.id)
        except Unavailable as error:
            log.info("what is left of %s will be noticed: %s", client.box.id, error)

    async def _stop_if_idle(self, client: RunnerClient) -> None:
        """End it if it is still idle. That it says itself: a message may have come since we asked."""
        user, ended = client.box.user, False
        async with self._turns.hold(user):
            if self._clients.get(user) is not client:
                return
            del self._clients[user]  # who wants it from now on waits for what comes of this
            try:
                await client.stop_if_idle(self._limits.idle_runner_s)
                ended = True
            except PlatformError as error:
                log.info("runner %s stays: %s", client.box.id, error)
                return
            finally:
                if not ended:
                    self._clients[user] = client
                    self.arrivals.publish(user, client)
            await self._spawner.stop(client.box, grace_s=STOP_S)
            await self._forget(client)
