"""Records a fact that people are notified of, once, beside the place where the fact itself is written."""

from core.domain.errors import Conflict, NotFound
from core.domain.notifications import Delivery, Notification, OutboxNote, note_id
from core.domain.records import SYSTEM, UserId
from core.store import Store


async def notify(store: Store, one: Notification, *, owner: UserId) -> bool:
    """Record a notification of this user. Returns False if it had been recorded before.

    Cut off between the two writes, the fact is recorded again by whoever repeats the caller's work, as every caller's
    work is repeated until it is done.
    """
    try:
        await store.get(Notification, one.id, owner=owner)
        return False
    except NotFound:
        pass
    note = OutboxNote(id=note_id(owner, one.id), user=owner, notification=one.id, created_at=one.at, due_at=one.at)
    try:
        await store.create(note, owner=SYSTEM)
    except Conflict:
        pass  # somebody was cut off after this write, or records the same at this moment
    try:
        await store.create(one, owner=owner)
    except Conflict:
        return False
    return True


async def forget_agent(store: Store, agent: str, *, owner: UserId) -> None:
    """Delete what was recorded about an agent. Idempotent. Notes without their notification are swept by the sender."""
    for kind in (Notification, Delivery):
        await store.delete_where(kind, owner=owner, where={"agent": agent})
