"""At every start, the lists in the settings are applied to people who are signed in already."""

import asyncio
import logging

from auth.claims import Identity, admit, is_admin
from auth.logins import Logins
from core.config.settings import Settings
from core.domain.audit import AuditAction
from core.domain.errors import Forbidden, StoreUnavailable
from core.domain.records import LOCAL, SYSTEM, Role, User, UserId
from core.services.audit import Audit
from core.store import Store

log = logging.getLogger("oma.auth")

MANY = 100_000
RETRY_S = 5.0


async def enforce(settings: Settings, *, store: Store, logins: Logins, audit: Audit) -> None:
    """Sign out everybody who is on no list any more. Waits while the Store is away; open pages follow within 2 s."""
    while True:
        try:
            for user in await store.find(User, owner=SYSTEM, limit=MANY):
                await _hold(user, settings, store=store, logins=logins, audit=audit)
            return
        except StoreUnavailable as error:
            log.warning("checking the access lists again: %s", error)
            await asyncio.sleep(RETRY_S)


async def _hold(user: User, settings: Settings, *, store: Store, logins: Logins, audit: Audit) -> None:
    if user.issuer == LOCAL:
        return
    # The provider confirmed at sign-in that the domain is theirs.
    domain = user.email.rpartition("@")[2]
    who = Identity(issuer=user.issuer, subject=user.subject, email=user.email, hosted_domain=domain)
    if user.role is Role.ADMIN and not (user.admin_granted or is_admin(who, settings)):
        await store.change(User, user.id, owner=SYSTEM, role=Role.USER)
        await audit.record(AuditAction.ROLE_CHANGED, who=SYSTEM, about=user.id, detail=Role.USER)
    try:
        admit(who, settings)
    except Forbidden:
        if await logins.list_for(UserId(user.id)):
            await logins.revoke_all(UserId(user.id))
            await audit.record(AuditAction.LOGIN_REVOKED, who=SYSTEM, about=user.id, detail="not on the lists any more")
