"""The user record behind a sign-in: created the first time, updated at each later one."""

from typing import Any

from auth.claims import Identity
from core.domain.errors import Forbidden, NotFound
from core.domain.records import LOCAL, SYSTEM, Role, User, now, user_id
from core.store import Store

OWNER = Identity(issuer=LOCAL, subject="owner")


async def upsert_user(store: Store, identity: Identity, *, admin: bool) -> User:
    """The account (issuer, subject) as it is after this sign-in; what the provider left out stays as it was.

    Raises: Forbidden: the account is disabled.
    """
    id, at, role = user_id(identity.issuer, identity.subject), now(), Role.ADMIN if admin else Role.USER
    try:
        known = await store.get(User, id, owner=SYSTEM)
    except NotFound:
        user = User(
            id=id,
            issuer=identity.issuer,
            subject=identity.subject,
            email=identity.email,
            name=identity.name,
            picture=identity.picture,
            role=role,
            created_at=at,
            seen_at=at,
        )
        await store.put(user, owner=SYSTEM)
        return user
    if known.disabled:
        raise Forbidden("this account is disabled", code="disabled")
    news = {"email": identity.email, "name": identity.name, "picture": identity.picture}
    given: dict[str, Any] = {name: value for name, value in news.items() if value}
    role = Role.ADMIN if admin or known.admin_granted else Role.USER
    return await store.change(User, id, owner=SYSTEM, role=role, seen_at=at, **given)
