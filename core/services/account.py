"""A user's own account: a summary of what it holds, and its deletion, which nothing stops once it has begun."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.domain.audit import AuditAction
from core.domain.errors import NotFound, PlatformError
from core.domain.records import SYSTEM, Agent, Session, User, UserId
from core.fleet.runner_pool import RunnerPool
from core.services.audit import Audit
from core.services.notify.secrets import forget_secrets
from core.store import Store
from core.vault import Vault

log = logging.getLogger("oma.account")

MANY = 100_000
RETRY_S = 5.0
SETTLE_S = 2.0  # the box's last events are on their way to the Store; the gateway collects connections for 0.5 s
END_S = 1.0  # for a deletion under way when the web ends; the next web continues it


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """The number of things that a deletion of the account would delete."""

    agents: int
    sessions: int


class Account:
    """Deletes accounts for as long as the context is open, also those that an earlier web began to delete.

    `locked_out` ends all logins of a user at once; `forget` removes the user from this process's caches.
    """

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        runners: RunnerPool,
        audit: Audit,
        locked_out: Callable[[UserId], Awaitable[None]],
        forget: Callable[[UserId], None],
    ) -> None:
        self._store, self._vault, self._runners, self._audit = store, vault, runners, audit
        self._locked_out, self._forget = locked_out, forget
        self._going: dict[UserId, asyncio.Task[None]] = {}

    async def __aenter__(self) -> "Account":
        for user in await self._store.find(User, owner=SYSTEM, where={"deleting": True}):
            self._begin(user.user_id)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._going:
            await asyncio.wait(self._going.values(), timeout=END_S)
        for task in self._going.values():
            task.cancel()

    async def holdings(self, user: UserId) -> AccountSummary:
        """Return how much a deletion of the account would delete."""
        agents = await self._store.find(Agent, owner=user, limit=MANY)
        sessions = await self._store.find(Session, owner=user, limit=MANY)
        return AccountSummary(agents=len(agents), sessions=len(sessions))

    async def delete(self, user: UserId) -> None:
        """Delete an account. From now on nobody can sign in to it; within a minute only audit log entries are left.

        Raises: StoreUnavailable: nothing happened, or only the audit log's entry was not written.
        """
        await self._store.change(User, user, owner=SYSTEM, deleting=True, disabled=True)
        self._begin(user)  # before anything that may fail: the Store now says that it will be deleted
        await self._locked_out(user)
        await self._audit.record(AuditAction.ACCOUNT_DELETED, who=user, about=user)

    def _begin(self, user: UserId) -> None:
        if user not in self._going:
            task = asyncio.create_task(self._go(user), name="delete account")
            self._going[user] = task
            task.add_done_callback(lambda _: self._going.pop(user, None))

    async def _go(self, user: UserId) -> None:
        while True:
            try:
                async with self._runners.purge(user):
                    await asyncio.sleep(SETTLE_S)
                    self._forget(user)
                    await self._vault.forget(user)
                    await forget_secrets(self._vault, owner=user)
                    await self._store.forget(user)
                return
            except NotFound:
                return
            except (PlatformError, OSError) as error:
                log.warning("an account is not deleted yet: %s", error)
            except Exception:  # whatever failed: a promised deletion is retried and does not wait for the next start
                log.exception("an account is not deleted yet")
            await asyncio.sleep(RETRY_S)
