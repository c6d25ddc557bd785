"""Sessions of an agent: open one, speak in it, read its events."""

from typing import Annotated

import msgspec
from fastapi import Query

from core.domain.events import AnyEvent, Attachment, seq_of
from core.domain.records import Session
from core.store import Store
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller, IdempotencyKey

EVENTS = 1000  # most in one answer; `last_seq` is the next `after`
MAX_SEQ = 10**15


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the agent. `message_id` names it, so that sending it again is harmless; so does Idempotency-Key.

    `attachments` are paths of files in the agent's folder; pictures among them are shown to the model.
    """

    text: str
    message_id: str = ""
    attachments: tuple[str, ...] = ()


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The message is in the session's log, with this number."""

    seq: int


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events in order. `last_seq` is the number of the last one, and the next `after`."""

    events: list[AnyEvent]
    last_seq: int


def router(services: Services, store: Store) -> ApiRouter:
    """Routes under `/sessions`, and the one that opens a session."""
    api = ApiRouter("sessions")

    @api.endpoint("POST", "/agents/{agent}/sessions", status=201, problems=(404,))
    async def open_session(agent: str, user: Caller, key: IdempotencyKey = "") -> Session:
        """Open a session with an agent."""
        return await services.agents.new_session(agent, user=user.user_id, locale=user.locale or "ko", key=key)

    @api.endpoint("GET", "/sessions/{session}/events", problems=(404,))
    async def list_events(session: str, user: Caller, after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> EventPage:
        """Read up to 1,000 stored events with numbers above `after`."""
        await services.agents.session(session, user=user.user_id)
        found = await store.events(session, owner=user.user_id, after=after, limit=EVENTS)
        return EventPage(events=found, last_seq=seq_of(found[-1]) if found else after)

    @api.endpoint("POST", "/sessions/{session}/messages", status=202, problems=(404, 408, 413))
    async def send_message(session: str, body: NewMessage, user: Caller, key: IdempotencyKey = "") -> Sent:
        """Send a message; the answer comes once it is in the session's log."""
        message_id = body.message_id or key
        seq = await services.conversations.say(
            session,
            user=user.user_id,
            text=body.text,
            message_id=message_id,
            via="api",
            attachments=tuple(Attachment(name=path.rpartition("/")[2], path=path) for path in body.attachments),
        )
        return Sent(seq=seq)

    return api
