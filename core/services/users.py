"""The use cases of administrators about users: list, give and take the role, disable and enable."""

from collections.abc import Callable

from core.domain.audit import AuditAction
from core.domain.errors import Conflict, NotFound
from core.domain.records import LOCAL, SYSTEM, Role, User, UserId
from core.fleet.runner_pool import RunnerPool
from core.services.audit import Audit
from core.store import Store

MANY = 10_000


class UserAdmin:
    """Use cases about users. Every call reads from the Store whether `by` is an administrator, because an open page
    proves nothing.

    `named` are the e-mail addresses that the settings make administrators. `changed` is called with every changed
    record.
    """

    def __init__(
        self,
        *,
        store: Store,
        runners: RunnerPool,
        audit: Audit,
        named: tuple[str, ...],
        changed: Callable[[User], None],
    ) -> None:
        self._store, self._runners, self._audit = store, runners, audit
        self._named, self._changed = frozenset(name.lower() for name in named), changed

    async def admin(self, by: UserId) -> User:
        """Return the administrator. Raises: NotFound: `by` is not one, and for others these pages do not exist."""
        user = await self._store.get(User, by, owner=SYSTEM)
        if user.role is not Role.ADMIN or user.disabled:
            raise NotFound("not an administrator")
        return user

    async def all(self, *, by: UserId) -> list[User]:
        """Return all users, last seen first. Raises: NotFound."""
        await self.admin(by)
        return await self._store.find(User, owner=SYSTEM, newest_by="seen_at", limit=MANY)

    def role_is_pinned(self, user: User) -> bool:
        """True if the settings or the ownership of this machine make the user an administrator: nobody can change that
        here.
        """
        return user.issuer == LOCAL or (bool(user.email) and user.email in self._named)

    async def set_role(self, user: UserId, role: Role, *, by: UserId) -> None:
        """Change a user's role; their open pages follow within 2 s. Raises: NotFound. Conflict: `by` themselves, or
        named in the settings.
        """
        known = await self._other(user, by=by)
        if self.role_is_pinned(known):
            raise Conflict("the settings make them an administrator", code="admin_by_settings")
        if known.role is not role:
            self._changed(
                await self._store.change(User, user, owner=SYSTEM, role=role, admin_granted=role is Role.ADMIN)
            )
            await self._audit.record(AuditAction.ROLE_CHANGED, who=by, about=user, detail=role)

    async def disable(self, user: UserId, disabled: bool, *, by: UserId) -> None:
        """Disable an account: its pages close within 2 s, its box stops, nothing is deleted. Or enable it again.

        Raises: NotFound. Conflict: `by` themselves.
        """
        known = await self._other(user, by=by)
        if known.disabled == disabled:
            return
        self._changed(await self._store.change(User, user, owner=SYSTEM, disabled=disabled))
        await self._audit.record(
            AuditAction.USER_DISABLED if disabled else AuditAction.USER_ENABLED, who=by, about=user
        )
        if disabled:
            await self._runners.stop(user)

    async def _other(self, user: UserId, *, by: UserId) -> User:
        await self.admin(by)
        if user == by:
            raise Conflict("nobody decides about themselves", code="not_yourself")
        known = await self._store.get(User, user, owner=SYSTEM)
        if known.deleting:
            raise NotFound("their account is being deleted")
        return known
