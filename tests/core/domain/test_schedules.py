"""Tests of due times: over changes of the clock, after downtime, with jitter."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.domain.errors import BadInput
from core.domain.schedules import (
    LATE_S,
    MAX_CAUGHT_UP,
    CatchUp,
    Schedule,
    Trigger,
    between,
    caught_up,
    check,
    next_after,
    not_before,
    upcoming,
)

SEOUL, NEW_YORK, DUBLIN = "Asia/Seoul", "America/New_York", "Europe/Dublin"
FORWARD = datetime(2026, 3, 8, tzinfo=UTC)  # New York leaves out 02:00-03:00 on this day
BACK = datetime(2026, 11, 1, tzinfo=UTC)  # and has 01:00-02:00 twice on this one

crons = some.builds(
    "{} {} {} * {}".format,
    some.sampled_from(["0", "30", "*/15", "7,37", "*"]),
    some.sampled_from(["1", "2", "*", "*/3", "0-4", "9", "23"]),
    some.sampled_from(["*", "*", "1", "L"]),
    some.sampled_from(["*", "*", "1-5", "0"]),
)
zones = some.sampled_from([SEOUL, NEW_YORK, DUBLIN, "UTC", "Australia/Lord_Howe"])
times = some.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=some.just(UTC))


def trigger(cron: str = "0 * * * *", **more: object) -> Trigger:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = Schedule(cron=cron, timezone=SEOUL)
    return Trigger(id="t1", agent="a1", schedule=schedule, counted_from=at, created_at=at, updated_at=at, **more)  # type: ignore[arg-type]


def local(times: list[datetime], zone: str) -> list[str]:
    return [f"{each.astimezone(ZoneInfo(zone)):%d %H:%M}" for each in times]


@given(crons, zones, times)
@settings(max_examples=150, deadline=None)
def test_going_on_from_a_due_time_finds_the_same_times_as_counting_on(cron: str, zone: str, start: datetime) -> None:
    schedule = Schedule(cron=cron, timezone=zone)
    counted = upcoming(schedule, start, count=12)
    assert counted == sorted(set(counted))
    assert all(due > start for due in counted)
    step = start
    for due in counted:
        assert next_after(schedule, step) == due
        step = due
    middle = start + (counted[-1] - start) / 2
    assert next_after(schedule, middle) == next(due for due in counted if due > middle)


@given(zones, times)
@settings(max_examples=60, deadline=None)
def test_a_time_of_day_is_due_once_on_every_day_of_the_calendar(zone: str, start: datetime) -> None:
    days = [
        due.astimezone(ZoneInfo(zone)).date()
        for due in upcoming(Schedule(cron="30 2 * * *", timezone=zone), start, count=40)
    ]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 39


def test_over_the_hour_that_is_left_out() -> None:
    daily, hourly = Schedule(cron="30 2 * * *", timezone=NEW_YORK), Schedule(cron="0 * * * *", timezone=NEW_YORK)
    assert local(upcoming(daily, FORWARD, count=2), NEW_YORK) == ["08 03:00", "09 02:30"]
    half_past_midnight = FORWARD + timedelta(hours=5, minutes=30)
    assert local(upcoming(hourly, half_past_midnight, count=3), NEW_YORK) == ["08 01:00", "08 03:00", "08 04:00"]


def test_in_the_hour_that_comes_twice_a_time_of_day_is_due_once_and_a_step_goes_on_evenly() -> None:
    early = BACK + timedelta(hours=5)  # the first 01:00
    once = upcoming(Schedule(cron="30 1 * * *", timezone=NEW_YORK), early, count=2)
    assert once == [BACK + timedelta(hours=5, minutes=30), BACK + timedelta(days=1, hours=6, minutes=30)]
    second = BACK + timedelta(hours=6, minutes=10)  # 01:10 for the second time: today's has been
    assert upcoming(Schedule(cron="30 1 * * *", timezone=NEW_YORK), second, count=1) == once[1:]
    every = upcoming(Schedule(cron="*/30 * * * *", timezone=NEW_YORK), early, count=4)
    assert every == [early + timedelta(minutes=30 * n) for n in range(1, 5)]


def test_once_at_a_time_is_due_once() -> None:
    schedule = check(Schedule(at=datetime(2026, 12, 1, 9, tzinfo=ZoneInfo(SEOUL))))
    assert upcoming(schedule, BACK, count=3) == [datetime(2026, 12, 1, tzinfo=UTC)]
    assert next_after(schedule, datetime(2026, 12, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("schedule", "code"),
    [
        (Schedule(cron="every day"), "bad_cron"),
        (Schedule(cron="0 9 * *"), "bad_cron"),
        (Schedule(cron="0 0 9 * * *"), "bad_cron"),
        (Schedule(cron="61 9 * * *"), "bad_cron"),
        (Schedule(cron="0 9 " + "1," * 100 + "1 * *"), "bad_cron"),
        (Schedule(cron="0 9 30 2 *"), "bad_cron"),
        (Schedule(cron="0 9 * * *", timezone="Mars/Olympus"), "bad_timezone"),
        (Schedule(cron="0 9 * * *", timezone="../etc/passwd"), "bad_timezone"),
        (Schedule(), "bad_schedule"),
        (Schedule(cron="0 9 * * *", at=BACK), "bad_schedule"),
        (Schedule(at=datetime(2026, 12, 1)), "bad_schedule"),
    ],
)
def test_what_is_no_schedule_is_refused_with_a_code(schedule: Schedule, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check(schedule)
    assert refused.value.code == code


@pytest.mark.parametrize("policy", list(CatchUp))
def test_of_the_slots_that_came_late_just_those_of_the_policy_run(policy: CatchUp) -> None:
    hourly, back = trigger(catch_up=policy), datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
    late = between(hourly.schedule, back - timedelta(hours=48), back, limit=100)
    assert len(late) == 48
    ran = [due for due in late if not caught_up(hourly, due, back)]
    assert ran == {"none": [], "last": late[-1:], "all": late[-MAX_CAUGHT_UP:]}[policy]


def test_a_slot_that_is_hardly_late_runs_whatever_the_policy() -> None:
    due = datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert caught_up(trigger(catch_up=CatchUp.NONE), due, due + timedelta(seconds=LATE_S)) == ""
    assert caught_up(trigger(catch_up=CatchUp.NONE), due, due + timedelta(seconds=LATE_S + 1)) == "platform_down"


@given(some.integers(0, 3600), times)
def test_jitter_is_the_same_whoever_asks_and_stays_within_its_bound(jitter_s: int, due: datetime) -> None:
    jittery = trigger(jitter_s=jitter_s)
    start = not_before(jittery, due)
    assert start == not_before(jittery, due)
    assert timedelta(0) <= start - due <= timedelta(seconds=jitter_s)
