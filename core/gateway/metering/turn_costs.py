"""Computes the cost of a turn: the bookings of its session that no earlier turn has taken.

Calls between two turns (a title, background work) belong to the next turn that ends.
"""

from collections.abc import Sequence

from msgspec import structs

from core.domain.events import AnyEvent, TurnFinished
from core.domain.records import Session, UserId
from core.domain.usage import CHARGED_UNPRICED, CHARGED_USD, session_key
from core.store import Store

DIGITS = 9  # of a dollar: sums of floats are not more exact


async def with_costs(store: Store, session: Session, events: Sequence[AnyEvent], *, owner: UserId) -> list[AnyEvent]:
    """Return the events with the costs of their turns; a cost that the runner sent does not count.

    All turns that ended before must have been followed up (core.gateway.ingest), or their calls are counted again.
    """
    if not any(isinstance(event, TurnFinished) for event in events):
        return list(events)
    row = await store.usage(session_key(session.id), owner=owner)
    cost_usd = max(0.0, round(row.get("cost_usd", 0.0) - row.get(CHARGED_USD, 0.0), DIGITS))
    unpriced = max(0, int(row.get("unpriced_calls", 0.0) - row.get(CHARGED_UNPRICED, 0.0)))
    priced: list[AnyEvent] = []
    for event in events:
        if isinstance(event, TurnFinished):
            event = structs.replace(event, cost_usd=cost_usd, unpriced_calls=unpriced)
            cost_usd, unpriced = 0.0, 0  # if several turns end in one batch, the first takes all
        priced.append(event)
    return priced
