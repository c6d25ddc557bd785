"""The web's runners, one per user: found again after a restart, started when needed, held while this process lives.

A web process keeps no state of a session. It keeps a connection to each runner that it has met; that connection keeps
the runner alive (G4) and brings its news.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from core.domain.errors import NotFound, PlatformError, RunnerUnavailable, Unavailable
from core.domain.records import SYSTEM, Box, LogKey, UserId, now
from core.fleet import idle_reaper, log_keys, quota_enforcer
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

CALL_STOP_S, STOP_S, DEAF_STOP_S = 1.5, 2.5, 0.5  # with the web's own drain within the 10 s of G4
SWEEP_S = 30.0
AGAIN_S = 1.0  # pause after an unexpected error
ALL = 10_000  # boxes read at once


class RunnerPool:
    """`async with RunnerPool(…)`: adopts the runners that live, holds those it starts. Leaving stops none of them."""

    def __init__(
        self, *, store: Store, spawner: Spawner, gateway_link: GatewayLink, limits: IdleLimits, sweep_s: float = SWEEP_S
    ) -> None:
        self._store, self._spawner, self._gateway_link, self._limits, self._sweep_s = (
            store,
            spawner,
            gateway_link,
            limits,
            sweep_s,
        )
        self._clients: dict[UserId, RunnerClient] = {}
        self._user_lock = UserLock(store)
        self._tasks = Tasks()
        self._stopping = False
        self.changes = SessionFeed(self._clients.keys)
        self.arrivals: Hub[News] = Hub()
        self._starts = RunnerStarts(self._begin, self.arrivals)
        self._recovery = Recovery(store=store, changes=self.changes, runner_of=self.get_or_start)

    async def __aenter__(self) -> "RunnerPool":
        boxes = await self._store.find(Box, owner=SYSTEM, limit=ALL)
        for box in boxes:  # in the background: a runner that hangs must not delay the pages of other users
            self._tasks.spawn(self._adopt(box), f"adopt {box.id}")
        self._tasks.spawn(
            idle_reaper.watch(self._living, self._stop_if_idle, self._limits, every_s=self._sweep_s), "sweep"
        )
        self._tasks.spawn(quota_enforcer.watch(self._spawner, living=self._living, stop=self.stop), "disks")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*(self._starts.cancel(user) for user in self._starts))
        await self._tasks.cancel()
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    def _living(self) -> list[RunnerClient]:
        return list(self._clients.values())

    def running(self, user: UserId) -> RunnerClient | None:
        """Return the user's runner if this process holds one."""
        return self._clients.get(user)

    async def get_or_start(self, user: UserId) -> RunnerClient:
        """Return the user's runner, which is started if there is none.

        Raises: RunnerUnavailable: it did not start; its text says why.
        """
        if client := self._clients.get(user):
            return client
        if self._stopping:
            raise RunnerUnavailable("the platform is being ended")
        return await self._starts.wait(user)

    def waiting(self, user: UserId) -> WaitingState | None:
        """Return the progress of the start of the user's runner; None if no start is under way in this process."""
        return self._starts.at(user)

    async def adopt_foreign(self, user: UserId) -> None:
        """Hold the user's runner that another web process has started, if there is one."""
        if self._spawner.shared and user not in self._clients and user not in self._starts:
            for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
                await self._adopt(box)

    async def _begin(self, user: UserId) -> RunnerClient:
        async with self._user_lock.hold(user):
            if client := self._clients.get(user):
                return client
            with metrics.outcome(metrics.runner_starts, metrics.runner_start_seconds):
                return await self._start(user)

    async def replace_failed(self, client: RunnerClient, *, stopping: bool = False) -> RunnerClient:
        """After a call to `client` failed, return the user's next runner if that one is `stopping` or dead, else the
        same.

        Raises: RunnerUnavailable: it lives and does not answer.
        """
        user = client.box.user
        async with self._user_lock.hold(user):
            held = partial(self._is_held, client)  # checked twice: `_hold` may notice its end while this waits
            if held() and await confirm_dead(client, self._spawner, stopping=stopping) and held():
                del self._clients[user]
                await self._forget(client)
                self._tasks.spawn(self._recovery.after_death(user), "recover")
        return await self.get_or_start(user)

    async def stop(self, user: UserId) -> None:
        """End the user's runner in good order, then by force. Calls that need a runner meanwhile wait for a new one."""
        await self._starts.cancel(user)
        async with self._user_lock.hold(user):
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
        finally:  # also when cancelled because the time to stop all runners is over
            await client.close()
        await self._spawner.stop(client.box, grace_s=grace_s)
        await self._forget(client)

    @asynccontextmanager
    async def purge(self, user: UserId) -> AsyncIterator[None]:
        """End the user's runner and delete the user's home. No runner of this user starts while the context is open."""
        await self._starts.cancel(user)
        async with self._user_lock.hold(user):
            await self._stop(user)
            for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
                await self._discard(box)
            await self._spawner.forget(user)
            yield
            await self._starts.cancel(user)  # starts that were asked for meanwhile: the user is deleted
            self._user_lock.forget(user)

    async def stop_all(self, *, spare_open_turns: bool) -> None:
        """End all runners at the same time. With `spare_open_turns` those with an open turn stay (a deploy, G4)."""
        self._stopping = True
        await asyncio.gather(*(self._starts.cancel(user) for user in self._starts))
        users = list(self._clients)
        if spare_open_turns and self._spawner.shared:
            return  # other web processes go on serving the pages of these users
        if spare_open_turns:
            busy = await asyncio.gather(*(client.has_open_turn() for client in self._living()))
            users = [user for user, open_turn in zip(users, busy, strict=True) if not open_turn]
        else:
            boxes = await self._store.find(Box, owner=SYSTEM, limit=ALL)
            await asyncio.gather(*(self._end_unmet(box) for box in boxes), return_exceptions=True)
        await asyncio.gather(*(self.stop(user) for user in users), return_exceptions=True)

    async def _end_unmet(self, box: Box) -> None:
        """End a box that is in the Store but is not held by this process."""
        if box.user not in self._clients:
            await self._discard(box)

    async def _discard(self, box: Box) -> None:
        """End the box by force, then delete its record. It may live although its process is not known: see `_start`."""
        await self._spawner.stop(box, grace_s=0)
        await self._store.delete(Box, box.id, owner=SYSTEM)

    async def _start(self, user: UserId) -> RunnerClient:
        for box in await self._store.find(Box, owner=SYSTEM, where={"user": user}):
            if await self._spawner.poll(box) is not Poll.GONE:
                try:
                    return await self._bind(box)
                except RunnerUnavailable as error:  # it lives but does not answer, or is of another version
                    log.warning("runner %s is ended: %s", box.id, error)
            await self._discard(box)
            self._tasks.spawn(self._recovery.after_death(user), "recover")
        box = Box(id=secrets.token_hex(5), user=user, key=secrets.token_urlsafe(32), started_at=now())
        await self._store.put(box, owner=SYSTEM)  # first: if this process is killed now, the next one finds the box
        tell = partial(self._starts.tell, user)
        try:
            box = msgspec.structs.replace(box, spawner_state=await self._spawner.start(box, tell))
            await self._store.put(box, owner=SYSTEM)
            tell(Phase.ANSWERING)
            return await self._bind(box)
        except BaseException:
            await self._discard(box)
            raise

    async def _adopt(self, box: Box) -> None:
        """Hold a runner that is in the Store. If it has died or was restarted, recover what it left open."""
        try:
            async with self._user_lock.hold(box.user):
                if box.user in self._clients:
                    return
                box = await self._store.get(Box, box.id, owner=SYSTEM)  # another web may have deleted it meanwhile
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
        """Wait until the runner answers, bind it to its user, and hold it from now on."""
        await self._gateway_link.register(box)
        client = RunnerClient(box, self._spawner.endpoint(box))
        log_key = await log_keys.of(self._store, box.user)
        bound = await client.init(self._limits.init(box, log_key), spawner=self._spawner)
        if bound.marks and not log_key.taken_over:
            await self._store.change(LogKey, log_key.id, owner=box.user, taken_over=True)
        self._clients[box.user] = client
        self._tasks.spawn(self._hold(client), f"hold {box.id}")
        self.arrivals.publish(box.user, client)
        return client

    # --- while it lives ----------------------------------------------------------------------------------------------

    async def _hold(self, client: RunnerClient) -> None:
        """Keep the liveness socket open and publish the runner's news until the runner is gone."""
        user, gone = client.box.user, None
        is_held, publish = partial(self._is_held, client), partial(self.changes.publish, client.box.user)
        while gone is None:
            try:
                gone = await hold(client, self._spawner, is_held=is_held, publish=publish)
            except Exception:  # whatever failed: a runner that is not held ends itself
                log.exception("the hold on runner %s", client.box.id)
                await asyncio.sleep(AGAIN_S)
        if gone:
            del self._clients[user]
            await self._lost(client)

    def _is_held(self, client: RunnerClient) -> bool:
        return self._clients.get(client.box.user) is client

    async def _lost(self, client: RunnerClient) -> None:
        """Only the process that deletes the Box record runs recovery; without a record another process has done it."""
        await client.close()
        try:
            async with self._user_lock.hold(client.box.user):
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
            await self._gateway_link.unregister(client.box.id)
        except Unavailable as error:
            log.info("what is left of %s will be noticed: %s", client.box.id, error)

    async def _stop_if_idle(self, client: RunnerClient) -> None:
        """End the runner if it is still idle. The runner decides: a message may have come since its status was read."""
        user, ended = client.box.user, False
        async with self._user_lock.hold(user):
            if self._clients.get(user) is not client:
                return
            del self._clients[user]  # calls that need a runner from now on wait for the lock
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
