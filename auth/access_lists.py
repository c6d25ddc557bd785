"""Those who are signed in already, held to the lists of the settings: at every start, because lists are read then."""

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
    """Once for everybody, however long the Store is away; pages that are open follow within 2 s."""
    while True:
        try:
            for user in await store.find(User, owner=SYSTEM, limit=MANY):
                await _hold(user, settings, store=store, logins=logins, audit=audit)
            return
        except StoreUnavailable as error:
            log.warning("who may be here is looked at again: %s", error)
            await asyncio.sleep(RETRY_S)


async def _hold(user: User, settings: Settings, *, store: Store, logins: Logins, audit: Audit) -> None:
    if user.issuer == LOCAL:
        return
    # Of a domain the provider has said at their sign-in that it is theirs.
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
