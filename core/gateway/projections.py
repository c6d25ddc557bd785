"""Updates the records that follow from newly stored events: counters, the inbox, and the session's record.

Every step may run twice for the same events and then changes nothing; see core.gateway.ingest for the order.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from core.domain.audit import AuditAction, AuditEntry
from core.domain.errors import NotFound
from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Notice,
    Parked,
    StateChanged,
    Text,
    ToolCalled,
    ToolReturned,
    TurnFinished,
    UserSaid,
    seq_of,
)
from core.domain.notifications import Notification, NotificationKind
from core.domain.records import Request, Session, UserId, now
from core.domain.states import SessionState
from core.domain.summaries import SUMMARY_CHARS, cut, first_line, last_line, target
from core.domain.usage import CHARGED_UNPRICED, CHARGED_USD, agent_month_key, month_key, session_key
from core.notifications.recording import notify
from core.protocol.platform_tools import DRAFT_AGENT_TOOL
from core.runs.projection import follow_run
from core.store import Store

TITLE_CHARS = 60
AUDIT_READ = 100  # newest entries that are searched for an entry written before
COMMAND = re.compile(r"\s*/[a-z][\w:-]*(?=\s|$)", re.A)
DOINGS = (UserSaid, Text, ToolCalled, ToolReturned, Asked, Answered, TurnFinished)  # events of a person or a model


async def update_records(store: Store, session: Session, events: Sequence[AnyEvent], *, owner: UserId) -> Session:
    """Bring all records up to these stored events, which follow `session.last_seq`; returns the session."""
    for key, amounts in usage_of(session, events).items():
        await _count(store, key, amounts, session, upto=seq_of(events[-1]), owner=owner)
    for event in events:
        await _keep_inbox(store, session, event, owner)
        match event:
            case TurnFinished(reason="tampered"):
                await _keep_audit(store, session, event, event.detail, owner)
            case Notice(text="log_forged"):
                await _keep_audit(store, session, event, event.text, owner)
    await follow_run(store, session, events, owner=owner)
    return await store.change(Session, session.id, owner=owner, **changes_of(session, events))


def usage_of(session: Session, events: Sequence[AnyEvent]) -> dict[str, dict[int, dict[str, float]]]:
    """Return what each ended turn adds to each counter row, by event number; the meter adds tokens and cost."""
    rows: dict[str, dict[int, dict[str, float]]] = defaultdict(dict)
    for event in events:
        if isinstance(event, TurnFinished) and event.at is not UNSET:
            for key in (month_key(event.at), agent_month_key(session.agent, event.at)):
                rows[key][seq_of(event)] = {"turns": 1.0}
            charged = {CHARGED_USD: event.cost_usd, CHARGED_UNPRICED: float(event.unpriced_calls)}
            rows[session_key(session.id)][seq_of(event)] = charged
    return rows


async def _count(
    store: Store, key: str, turns: dict[int, dict[str, float]], session: Session, *, upto: int, owner: UserId
) -> None:
    """Add turns to a row exactly once.

    Beside the sums a row has a mark per session, `seq_<session>`: the number of the last event that it counts. Sums
    and mark are moved by one atomic addition, so a turn is in the row if and only if the mark says so.
    """
    mark = f"seq_{session.id}"
    counted = (await store.usage(key, owner=owner)).get(mark, 0.0)
    added: dict[str, float] = defaultdict(float)
    for seq, amounts in turns.items():
        if seq > counted:
            for name, amount in amounts.items():
                added[name] += amount
    if added:
        await store.add_usage(key, owner=owner, **added, **{mark: upto - counted})


async def _keep_inbox(store: Store, session: Session, event: AnyEvent, owner: UserId) -> None:
    match event:
        case Asked() if event.request_id and await _whose(store, event.request_id, owner) in ("", session.id):
            entry = _entry(session, event)
            await store.put(entry, owner=owner)
            await notify(store, _needs_you(session, entry), owner=owner)
        case Answered() if await _whose(store, event.request_id, owner) == session.id:
            await store.delete(Request, event.request_id, owner=owner)
        case Parked() if await _whose(store, event.request_id, owner) == session.id:
            await store.change(Request, event.request_id, owner=owner, parked=True)


async def _keep_audit(store: Store, session: Session, event: AnyEvent, why: str, owner: UserId) -> None:
    """Record once that a session was tampered with; the entry's detail has the event's number."""
    detail = f"{session.id} {seq_of(event)} {why[:100]}"
    known = await store.audit_entries(limit=AUDIT_READ)
    if not any(entry.what == AuditAction.SESSION_TAMPERED and entry.detail == detail for entry in known):
        what = AuditAction.SESSION_TAMPERED
        await store.add_audit_entry(AuditEntry(at=now(), what=what, who=owner, about=session.agent, detail=detail))


def _entry(session: Session, asked: Asked) -> Request:
    return Request(
        id=asked.request_id,
        agent=session.agent,
        session=session.id,
        kind=asked.kind,
        summary=target(asked),
        tool=cut(asked.tool, TITLE_CHARS),
        reason=first_line(asked.reason, SUMMARY_CHARS),
        asked_at=now() if asked.at is UNSET else asked.at,
        seq=seq_of(asked),
    )


def _needs_you(session: Session, entry: Request) -> Notification:
    return Notification(
        id=f"asked-{entry.id}",
        kind=NotificationKind.NEEDS_YOU,
        agent=entry.agent,
        session=entry.session,
        run=session.run,
        request=entry.id,
        reason=entry.kind,
        line=entry.summary,
        at=entry.asked_at,
    )


async def _whose(store: Store, request_id: str, owner: UserId) -> str:
    """Return the session of an inbox entry; empty if there is no such entry."""
    try:
        return (await store.get(Request, request_id, owner=owner)).session
    except NotFound:
        return ""


def changes_of(session: Session, events: Sequence[AnyEvent]) -> dict[str, Any]:
    """Return the fields of the session's record that these events change."""
    changes: dict[str, Any] = {"last_seq": seq_of(events[-1])} | _title(session, events)
    if any(isinstance(event, DOINGS) for event in events):
        changes["updated_at"] = now()  # not when the session only wakes, because lists are sorted by it
    if line := last_line(events):
        changes["last_line"] = line
    cost, unpriced = session.cost_usd, session.unpriced_calls
    for event in events:
        match event:
            case StateChanged():
                changes["state"] = event.state
                if event.turn:
                    changes["turn"] = event.turn
                if event.state is SessionState.BUSY:
                    changes |= {"last_outcome": "", "last_reason": ""}
            case TurnFinished():
                cost = changes["cost_usd"] = cost + event.cost_usd
                unpriced = changes["unpriced_calls"] = unpriced + event.unpriced_calls
                changes |= {"last_outcome": event.outcome, "last_reason": event.reason} | context_of(event)
    return changes


def context_of(event: TurnFinished) -> dict[str, Any]:
    """Return model and context after this turn; nothing if no model answered in it."""
    names = ("model", "context_tokens", "window_tokens")
    return {name: getattr(event, name) for name in names} if event.model else {}


def _title(session: Session, events: Sequence[AnyEvent]) -> dict[str, str]:
    """Return the new title, unless one was given by hand: the first words, then the name of the built agent."""
    title, given = session.title, session.given_title
    for event in events:
        if isinstance(event, UserSaid) and not title:
            title = given = first_line(_subject(event.text), TITLE_CHARS)
        elif title == given and session.kind == "builder" and (name := _drafted(event)):
            title = given = name
    return {} if title == session.title else {"title": title, "given_title": given}


def _subject(said: str) -> str:
    """Return the subject of a message: of a slash command its arguments, which may be empty."""
    command = COMMAND.match(said)
    return said[command.end() :] if command else said


def _drafted(event: AnyEvent) -> str:
    """Return the name that a call of the builder's tool gives the agent; empty if it gives none."""
    if not isinstance(event, ToolCalled) or event.name != DRAFT_AGENT_TOOL:
        return ""
    name = event.input.get("name")
    return first_line(name, TITLE_CHARS) if isinstance(name, str) else ""
