"""Schedules: when a trigger is due in its own time zone, and what happens to late and overlapping slots.

A cron line follows Debian's rules over a change of clock, as `cronsim` has them: what is due at a time of day happens
once on every day that has it (a time that is left out comes right after the gap, one that comes twice counts once),
and what is due every so many minutes or hours goes on evenly.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from core.domain.errors import BadInput
from core.domain.records import Record, UserId

CRON_CHARS = 120
MAX_JITTER_S = 3600
PAUSE_AFTER = 5  # failures in a row
MAX_PAUSE_AFTER = 100
LATE_S = 60.0  # a slot that is seen later than this is caught up with, by the policy


class Overlap(StrEnum):
    """The policy for a slot that is due while an earlier run of the same schedule has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_PREVIOUS = "cancel_previous"


class CatchUp(StrEnum):
    """The policy for slots that were due while the platform was down: which of them run. The others are recorded as
    missed.
    """

    NONE = "none"
    LAST = "last"
    ALL = "all"  # the newest MAX_CAUGHT_UP of them


MAX_CAUGHT_UP = 24


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The times at which something is due: a cron line of five fields, or one time (`at`)."""

    cron: str = ""
    at: datetime | None = None
    timezone: str = "UTC"


class Trigger(Record, frozen=True, kw_only=True):
    """A schedule of an agent, owned by the agent's owner.

    `paused_by` is empty while it is in force, else a user, or ITSELF after `pause_after` failures in a row. Failures
    count from `counted_from` on: somebody who resumes it starts anew.
    """

    agent: str
    kind: str = "schedule"
    schedule: Schedule
    input: dict[str, Any] | str = ""
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    jitter_s: int = 0
    pause_after: int = PAUSE_AFTER
    paused_by: str = ""
    paused_why: str = ""
    paused_at: datetime | None = None
    counted_from: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def enabled(self) -> bool:
        """True unless the schedule is paused."""
        return not self.paused_by


ITSELF = "itself"


NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # of a schedule that is paused or over


class DueSlot(Record, frozen=True, kw_only=True):
    """The next slot of a schedule, owned by the platform. It has the trigger's id; its time is NEVER while the schedule
    is paused or over.
    """

    user: UserId
    agent: str
    due_at: datetime


def zone(name: str) -> ZoneInfo:
    """Return the time zone of this IANA name. Raises: BadInput: there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(f"there is no time zone {name[:60]!r}", code="bad_timezone") from error


def check(schedule: Schedule) -> Schedule:
    """Return the schedule in the form in which it is stored. Raises: BadInput: code bad_cron, bad_timezone,
    bad_schedule or never_due.
    """
    zone(schedule.timezone)
    cron = " ".join(schedule.cron.split())
    if bool(cron) == (schedule.at is not None):
        raise BadInput("a schedule has either a cron line or one time", code="bad_schedule")
    if schedule.at is not None:
        if schedule.at.tzinfo is None:
            raise BadInput("a time needs its offset, as in 2026-12-01T09:00:00Z", code="bad_schedule")
        return msgspec.structs.replace(schedule, cron="", at=schedule.at.astimezone(UTC).replace(microsecond=0))
    if len(cron) > CRON_CHARS or len(cron.split()) != 5:
        raise BadInput("a cron line has five fields: minute, hour, day, month, day of the week", code="bad_cron")
    checked = msgspec.structs.replace(schedule, cron=cron)
    try:
        CronSim(cron, datetime(2026, 1, 1))  # only to read the line
    except CronSimError as error:
        raise BadInput(f"not a cron line: {error}", code="bad_cron") from error
    if next_after(checked, datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise BadInput("this cron line is never due", code="never_due")
    return checked


def next_after(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first due time later than `after`, in UTC; None if there is none."""
    return next(_times(schedule, after), None)


def upcoming(schedule: Schedule, after: datetime, *, count: int) -> list[datetime]:
    """Return the next `count` due times later than `after`, in UTC."""
    return list(itertools.islice(_times(schedule, after), count))


def between(schedule: Schedule, after: datetime, until: datetime, *, limit: int) -> list[datetime]:
    """Return the due times later than `after` and not later than `until`, at most `limit` of them."""
    return list(itertools.islice(itertools.takewhile(lambda due: due <= until, _times(schedule, after)), limit))


def _times(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield the due times later than `after`, each once and in order."""
    if schedule.at is not None:
        if schedule.at > after:
            yield schedule.at
        return
    # A day back: in the hour that comes twice, the line's time of day stands for the first of the two.
    last = after
    for local in CronSim(schedule.cron, (after - timedelta(days=1)).astimezone(zone(schedule.timezone))):
        due = local.astimezone(UTC)
        if due > last:
            yield due
            last = due


def not_before(trigger: Trigger, due_at: datetime) -> datetime:
    """Return the due time plus the slot's share of the jitter. The share follows from the slot's id, so that every
    process computes the same.
    """
    if not trigger.jitter_s:
        return due_at
    drawn = int.from_bytes(sha256(f"{trigger.id}\0{due_at.timestamp():.0f}".encode()).digest()[:4], "big")
    return due_at + timedelta(seconds=drawn % (trigger.jitter_s + 1))


def caught_up(trigger: Trigger, due_at: datetime, now: datetime) -> str:
    """Return the reason why a late slot does not run; empty if it runs."""
    if (now - due_at).total_seconds() <= LATE_S:
        return ""
    if trigger.catch_up is CatchUp.NONE:
        return "platform_down"
    wanted = 1 if trigger.catch_up is CatchUp.LAST else MAX_CAUGHT_UP
    later = between(trigger.schedule, due_at, now, limit=wanted)
    if len(later) < wanted:
        return ""
    return "superseded" if trigger.catch_up is CatchUp.LAST else "catch_up_bound"
