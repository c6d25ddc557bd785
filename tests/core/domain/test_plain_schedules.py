"""Plain words for schedules: read, spoken, and the same as their cron line."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.domain.plain_schedules import LAST_DAY, Plain, from_cron, read, speak, to_cron

minutes, hours = some.integers(0, 59), some.integers(0, 23)
plain = some.one_of(
    some.builds(Plain, every=some.just("minutes"), step=some.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30])),
    some.builds(Plain, every=some.just("hours"), minute=minutes),
    some.builds(Plain, every=some.just("hours"), step=some.sampled_from([2, 3, 4, 6, 8, 12])),
    some.builds(Plain, every=some.just("day"), hour=hours, minute=minutes),
    some.builds(
        Plain, every=some.just("week"), hour=hours, minute=minutes,
        days=some.sets(some.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    ),
    some.builds(Plain, every=some.just("month"), hour=hours, minute=minutes, day=some.integers(1, LAST_DAY)),
)  # fmt: skip


@given(plain)
def test_a_plain_schedule_and_its_cron_line_are_two_views_of_one_thing(one: Plain) -> None:
    assert from_cron(to_cron(one)) == one


@given(plain, some.sampled_from(["ko", "en"]))
def test_what_is_spoken_is_understood(one: Plain, locale: str) -> None:
    assert read(speak(one, locale)) == one


@given(some.text(max_size=120))
def test_whatever_is_typed_is_understood_or_not_and_nothing_breaks(text: str) -> None:
    found = read(text)
    assert found is None or from_cron(to_cron(found)) == found


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("평일 오전 9시", "0 9 * * 1-5"),
        ("평일 아침 9시 반에", "30 9 * * 1-5"),
        ("매시간", "0 * * * *"),
        ("매시 15분", "15 * * * *"),
        ("매월 1일", "0 9 1 * *"),
        ("매월 마지막 날 오후 6시", "0 18 L * *"),
        ("매일 자정", "0 0 * * *"),
        ("매일 오전 12시 30분", "30 0 * * *"),
        ("매일 낮 12시", "0 12 * * *"),
        ("주말 밤 10시", "0 22 * * 0,6"),
        ("매주 월요일 9:30", "30 9 * * 1"),
        ("월, 수, 금 오전 8시", "0 8 * * 1,3,5"),
        ("월·수 18시", "0 18 * * 1,3"),
        ("10분마다", "*/10 * * * *"),
        ("2시간마다", "0 */2 * * *"),
        ("Every weekday at 9 am", "0 9 * * 1-5"),
        ("weekdays at 9:30", "30 9 * * 1-5"),
        ("hourly", "0 * * * *"),
        ("every month on the 1st at noon", "0 12 1 * *"),
        ("mon, wed 6pm", "0 18 * * 1,3"),
        ("every Friday at 12:15 am", "15 0 * * 5"),
        ("every 15 minutes", "*/15 * * * *"),
    ],
)
def test_common_words_mean_this_line(text: str, cron: str) -> None:
    found = read(text)
    assert found is not None
    assert to_cron(found) == cron


@pytest.mark.parametrize(
    "text",
    [
        "",
        "언젠가",
        "매일 25시",
        "매월 40일",
        "7분마다",
        "every 7 minutes",
        "13 pm daily",
        "sometimes",
        "월요일 빼고 9시",
    ],
)
def test_what_is_not_understood_is_not_guessed(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("cron", ["0 9 1 * 1", "*/7 * * * *", "0 9-17 * * *", "0 9 * 1 *", "0 9 * * 1#2", "nonsense"])
def test_a_line_that_cannot_be_said_plainly_has_no_plain_schedule(cron: str) -> None:
    assert from_cron(cron) is None


def test_it_is_spoken_naturally() -> None:
    said = {cron: (speak(found, "ko"), speak(found, "en")) for cron in ("0 9 * * 1-5", "0 * * * *", "0 12 1 * *")
            if (found := from_cron(cron))}  # fmt: skip
    assert said == {
        "0 9 * * 1-5": ("평일 오전 9시", "weekdays at 9 am"),
        "0 * * * *": ("매시간", "every hour"),
        "0 12 1 * *": ("매월 1일 정오", "every month on the 1st at noon"),
    }
