"""One change of a user's box at a time: by a lock in this process, by a lease in the Store among all of them."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from core.domain.errors import RunnerUnavailable, StoreUnavailable
from core.domain.records import UserId
from core.store import Store

log = logging.getLogger("oma.turns")

LEASE_S: Final = 10.0  # how long others wait for a web that died in the middle of a change
RENEW_S: Final = 3.0
RETRY_S: Final = 0.2


class UserLock:
    """Whoever starts, stops, adopts or buries a user's runner does so inside `of(user)`."""

    def __init__(self, store: Store) -> None:
        self._store, self._holder = store, secrets.token_hex(8)
        self._locks: dict[UserId, asyncio.Lock] = {}

    @asynccontextmanager
    async def hold(self, user: UserId) -> AsyncIterator[None]:
        """Waits for its turn. Raises: StoreUnavailable. RunnerUnavailable: the account was deleted meanwhile."""
        async with (lock := self._locks.setdefault(user, asyncio.Lock())):
            if self._locks.get(user) is not lock:
                raise RunnerUnavailable("the account was deleted meanwhile")
            name = f"box/{user}"
            while not await self._store.claim(name, holder=self._holder, lease_s=LEASE_S):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(RETRY_S)  # another process has it
            renewing = asyncio.create_task(self._renew(name), name=name)
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
                await self._release(name)

    def forget(self, user: UserId) -> None:
        """Who waits for a turn of this user asked for one that is no more."""
        self._locks.pop(user, None)

    async def _renew(self, name: str) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                if not await self._store.claim(name, holder=self._holder, lease_s=LEASE_S):
                    log.warning("%s: this process stood still, and somebody else has the turn", name)
            except StoreUnavailable as error:
                log.warning("%s: %s", name, error)

    async def _release(self, name: str) -> None:
        try:
            await self._store.release(name, holder=self._holder)
        except StoreUnavailable as error:
            log.warning("%s runs out by itself: %s", name, error)
