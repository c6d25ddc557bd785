"""The key with which a user's runners mark their logs (core/runner/seal.py): made once, and kept in the Store."""

import secrets

from core.domain.errors import NotFound
from core.domain.records import LogKey, UserId
from core.store import Store


async def of(store: Store, user: UserId) -> LogKey:
    """Return the user's key, made if there is none. Call it while no other start of this user's runner is under way."""
    try:
        return await store.get(LogKey, user, owner=user)
    except NotFound:
        key = LogKey(id=user, key=secrets.token_urlsafe(32))
        await store.put(key, owner=user)
        return key
