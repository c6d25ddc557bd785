"""A log that fell behind the Store (its home was put back from a copy) takes in what it lacks, and goes on.

What the Store has is the truth and keeps its numbers: others have seen them. So the log becomes: what both have, then
the Store's tail, then what was appended here since, numbered anew. The new log is written under another name beside the
old one and takes its place by one rename: killed between any two lines, the runner finds the one or the other.
"""

import asyncio
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from core.domain.errors import StoreUnavailable, Unavailable
from core.domain.events import AnyEvent, Notice, Parked, StateChanged, TurnFinished, encode, numbered
from core.domain.states import SessionState
from core.runner.gateway_client import GatewayClient
from core.runner.journal import Journal
from core.runner.log import EventLog, LogForged, Scanned, event_of, scan
from core.runner.seal import Seal
from core.runner.session_projection import SessionProjection

log = logging.getLogger("oma.rejoin")

Json = dict[str, Any]
PAGE_EVENTS = 500
REST = (SessionState.ASLEEP, SessionState.FAILED)


async def rejoin(journal: Journal, gateway: GatewayClient, common: int) -> int:
    """Take in what the Store has after number `common`; the number up to which the log now is the Store's.

    Raises: Unavailable, NotFound, OSError: the log is as it was.
    """
    path = journal.log.path.with_suffix(".jsonl.new")
    path.unlink(missing_ok=True)
    try:
        with path.open("xb") as draft:
            marks = journal.log.marks
            common = _copy(journal.log, common, draft, marks)
            last = await _fetch(gateway, journal.session, common, draft, marks)
            known = await asyncio.to_thread(_settled, draft, path, journal.log.marks)
            if len(known.ends) - 1 != last:
                raise Unavailable("the gateway's events are not what a log can keep")
            # From here on no await: what is appended to the old log meanwhile would be lost with it.
            for line in _continued(known, journal.projection, _own(journal.log, common)):
                draft.write(sealed := known.marks.line(line) + b"\n")
                known.ends.append(known.ends[-1] + len(sealed))
                known.events.extend(event_of(line))
        journal.adopt(path, known)
    finally:
        path.unlink(missing_ok=True)
    log.warning("session %s: the log took in events %d to %d from the store", journal.session, common + 1, last)
    with suppress(StoreUnavailable):
        journal.record(Notice(level="warn", text="log_rejoined"))
    return last


def _copy(old: EventLog, upto: int, draft: BinaryIO, marks: Seal) -> int:
    """Write the first `upto` lines to the draft, fewer if fewer can be believed; returns how many."""
    written = 0
    for line in islice(_own(old, 0), upto):
        draft.write(marks.line(line) + b"\n")
        written += 1
    return written


async def _fetch(gateway: GatewayClient, session: str, last: int, draft: BinaryIO, marks: Seal) -> int:
    """The Store's events after `last`, page by page. Raises: Unavailable: one does not follow the one before it."""
    while lines := await gateway.tail(session, last):
        for line in lines:
            last += 1
            if _said(line).get("seq") != last:
                raise Unavailable("the gateway's events do not follow each other")
            draft.write(marks.line(line) + b"\n")
    return last


def _settled(draft: BinaryIO, path: Path, marks: Seal) -> Scanned:
    """Write the draft to the disk and read it again. Blocks: call it in a thread."""
    draft.flush()
    os.fsync(draft.fileno())
    return scan(path.read_bytes(), marks)


def _continued(known: Scanned, present: SessionProjection, own: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what follows the Store's events: the ends of open turns and requests, our own later events, and the present
    state.
    """
    projection, seq = SessionProjection(), len(known.ends) - 1
    for event in known.events:
        projection.apply(event)
    there = {_content(_said(encode(event))) for event in known.events}
    messages = set(projection.seqs)
    for event in _tied_up(projection):
        seq += 1
        projection.apply(event)
        yield encode(numbered(event, seq=seq))
    for said in _after_recovery(map(_said, own)):
        again = said.get("type") == "user_said" and said.get("message_id") in messages
        again = again or (said.get("type") == "session_opened" and bool(projection.agent))
        if again or _content(said) in there:
            continue
        seq += 1
        line = msgspec.json.encode({**said, "seq": seq})
        for event in event_of(line):
            projection.apply(event)
        yield line
    if (projection.state, projection.turn) != (present.state, present.turn):
        yield encode(numbered(StateChanged(state=present.state, turn=present.turn), seq=seq + 1))


def _tied_up(projection: SessionProjection) -> list[AnyEvent]:
    """Return events that end what was open, as `Session.recover` does: the runner that worked on it is gone."""
    ends: list[AnyEvent] = [
        Parked(request_id=request_id) for request_id in sorted(projection.asked.keys() - projection.parked)
    ]
    if projection.turn:
        ends.append(TurnFinished(outcome="interrupted", reason="runner_lost"))
    if projection.state not in REST:
        ends.append(StateChanged(state=SessionState.ASLEEP))
    return ends


def _after_recovery(own: Iterable[Json]) -> Iterator[Json]:
    """Without its beginning: what was written when the old log was opened ended a turn that went on in the Store."""
    opening = True
    for said in own:
        opening = opening and (
            said.get("type") == "parked"
            or (said.get("type") == "text" and said.get("partial") is True)
            or said.get("reason") == "runner_lost"
            or (said.get("type") == "state" and said.get("state") == SessionState.ASLEEP.value)
        )
        if not opening:
            yield said


def _own(file: EventLog, after: int) -> Iterator[bytes]:
    """Yield the lines after number `after`, up to the first that is not what was written."""
    upto = file.last_seq
    while after < upto:
        try:
            lines = file.read(after, min(PAGE_EVENTS, upto - after))
        except LogForged as error:
            upto = error.seq - 1  # those before it were asked for together with it
            continue
        after += len(lines)
        yield from lines


def _content(said: Json) -> bytes:
    """The event apart from its number: its time has microseconds, so no two are alike."""
    return msgspec.json.encode({**said, "seq": 0}, order="deterministic")


def _said(line: bytes) -> Json:
    try:
        return msgspec.json.decode(line, type=Json)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unavailable("there is a line that is no event") from error
