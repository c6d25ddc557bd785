"""Schedules in plain words, such as "평일 오전 9시" and "every hour", read and written in Korean and English.

A plain schedule is a view of a cron line. A line that cannot be said plainly has no plain schedule.
"""

import re
from dataclasses import dataclass
from typing import Literal

Every = Literal["minutes", "hours", "day", "week", "month"]
LAST_DAY = 32  # of `Plain.day`: whatever day that is
WEEKDAYS, WEEKEND = (1, 2, 3, 4, 5), (0, 6)  # as in cron: 0 is Sunday
KO_DAYS = "일월화수목금토"
EN_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
KO_TIME = re.compile(r"(?:(오전|오후|아침|저녁|밤|새벽|낮)\s*)?(\d{1,2})시(?:\s*(\d{1,2})분|\s*(반))?")
CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})\s*(am|pm)?(?![\d:])", re.IGNORECASE)
EN_TIME = re.compile(r"(?<!\d)(\d{1,2})\s*(am|pm)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A schedule that can be said in plain words. `step` counts minutes or hours; `days` are days of the week, `day` is
    a day of the month.
    """

    every: Every
    step: int = 1
    minute: int = 0
    hour: int = 0
    days: tuple[int, ...] = ()
    day: int = 1


def to_cron(plain: Plain) -> str:
    """Return the cron line with the same meaning."""
    at = f"{plain.minute} {plain.hour}"
    match plain.every:
        case "minutes":
            return "* * * * *" if plain.step == 1 else f"*/{plain.step} * * * *"
        case "hours":
            return f"{plain.minute} * * * *" if plain.step == 1 else f"{plain.minute} */{plain.step} * * *"
        case "day":
            return f"{at} * * *"
        case "week":
            return f"{at} * * {'1-5' if plain.days == WEEKDAYS else ','.join(map(str, plain.days))}"
        case "month":
            return f"{at} {'L' if plain.day == LAST_DAY else plain.day} * *"


def from_cron(cron: str) -> Plain | None:
    """Return the plain schedule of a cron line; None if it cannot be said plainly."""
    parts = cron.upper().split()
    if len(parts) != 5 or parts[3] != "*":
        return None
    minute, hour, day, _, weekday = parts
    if hour == "*" and (day, weekday) == ("*", "*"):
        if minute == "*":
            return Plain(every="minutes")
        if step := _step(minute, (2, 3, 4, 5, 6, 10, 12, 15, 20, 30)):
            return Plain(every="minutes", step=step)
        return Plain(every="hours", minute=int(minute)) if _is(minute, 59) else None
    if not _is(minute, 59):
        return None
    if (day, weekday) == ("*", "*") and (step := _step(hour, (2, 3, 4, 6, 8, 12))):
        return Plain(every="hours", step=step, minute=int(minute))
    return _at_time(int(minute), int(hour), day, weekday) if _is(hour, 23) else None


def _at_time(minute: int, hour: int, day: str, weekday: str) -> Plain | None:
    if day == weekday == "*":
        return Plain(every="day", minute=minute, hour=hour)
    if day == "*" and (days := _days(weekday)):
        return Plain(every="week", minute=minute, hour=hour, days=days)
    if weekday == "*" and day == "L":
        return Plain(every="month", minute=minute, hour=hour, day=LAST_DAY)
    if weekday == "*" and _is(day, 31) and int(day):
        return Plain(every="month", minute=minute, hour=hour, day=int(day))
    return None


def read(text: str) -> Plain | None:
    """Parse a schedule that a person typed in Korean or English; None if it is not understood. Nothing is guessed."""
    said = " ".join(text.lower().replace("·", ",").split())
    if not said or len(said) > 100:
        return None
    return _read_ko(said) if re.search("[가-힣]", said) else _read_en(said)


def speak(plain: Plain, locale: str) -> str:
    """The schedule as a person says it."""
    return _speak_ko(plain) if locale == "ko" else _speak_en(plain)


def _read_ko(said: str) -> Plain | None:
    time = _ko_time(said)
    rest = time[2] if time else said
    hour, minute = (time[0], time[1]) if time else (9, 0)
    rest = (
        re.sub(r"(마다|에|에는|날)?\s*$", "", rest).strip() if not re.search(r"\d+\s*(분|시간)\s*마다", rest) else rest
    )
    if found := re.fullmatch(r"(?:매\s*)?(\d{1,2})?\s*(분|시간)\s*마다", rest):
        return _every(found[2] == "분", int(found[1] or 1)) if not time else None
    if rest in ("매분", "1분"):
        return Plain(every="minutes") if not time else None
    if found := re.fullmatch(r"매\s*시간?(?:\s*(?:(정각)|(\d{1,2})분))?", rest):
        return _plain(every="hours", minute=int(found[2] or 0)) if not time else None
    if rest in ("매일", "날마다", "하루에 한 번"):
        return _plain(every="day", hour=hour, minute=minute)
    if rest in ("평일", "매 평일", "평일 매일"):
        return _plain(every="week", hour=hour, minute=minute, days=WEEKDAYS)
    if rest in ("주말", "매 주말", "주말 매일"):
        return _plain(every="week", hour=hour, minute=minute, days=WEEKEND)
    if found := re.fullmatch(r"(?:매월|매달)\s*(?:(\d{1,2})일|(마지막)(?:\s*날)?)", rest):
        return _plain(every="month", hour=hour, minute=minute, day=LAST_DAY if found[2] else int(found[1]))
    if found := re.fullmatch(r"(?:매주\s*)?((?:[일월화수목금토](?:요일)?[\s,]*(?:와|과)?[\s,]*)+)", rest):
        days = tuple(sorted({KO_DAYS.index(each) for each in re.sub(r"요일|[\s,와과]", "", found[1])}))
        return _plain(every="week", hour=hour, minute=minute, days=days)
    return None


def _ko_time(said: str) -> tuple[int, int, str] | None:
    """Return the hour, the minute, and the words without them; None if there is no time."""
    for word, hour in (("자정", 0), ("정오", 12)):
        if word in said:
            return hour, 0, said.replace(word, "").strip()
    found = KO_TIME.search(said)
    if found and not said[found.end(2) :].startswith("시간"):
        part, hour = found[1] or "", int(found[2])
        if part in ("오후", "저녁", "밤", "낮") and 1 <= hour < 12 and not (part == "낮" and hour >= 10):
            hour += 12
        elif part in ("오전", "새벽", "아침", "밤") and hour == 12:
            hour = 0
        minute = 30 if found[4] else int(found[3] or 0)
    elif found := CLOCK.search(said):
        hour, minute = int(found[1]), int(found[2])
    else:
        return None
    return hour, minute, (said[: found.start()] + said[found.end() :]).strip()


def _read_en(said: str) -> Plain | None:
    time = _en_time(said)
    rest = time[2] if time else said
    hour, minute = (time[0], time[1]) if time else (9, 0)
    rest = re.sub(r"^(on|at)\s+|\s+(at|on)$|\s*,\s*$", "", re.sub(r"\s+(at|on)$", "", rest)).strip()
    if found := re.fullmatch(r"every\s+(?:(\d{1,2})\s+)?(minute|hour)s?", rest):
        return _every(found[2] == "minute", int(found[1] or 1)) if not time else None
    if rest == "hourly":
        return Plain(every="hours") if not time else None
    if found := re.fullmatch(r"(?:every hour|hourly) at minute (\d{1,2})", rest):
        return _plain(every="hours", minute=int(found[1])) if not time else None
    if rest in ("every day", "daily", "each day"):
        return _plain(every="day", hour=hour, minute=minute)
    if rest in ("weekdays", "every weekday", "on weekdays", "each weekday"):
        return _plain(every="week", hour=hour, minute=minute, days=WEEKDAYS)
    if rest in ("weekends", "every weekend", "on weekends"):
        return _plain(every="week", hour=hour, minute=minute, days=WEEKEND)
    if found := re.fullmatch(
        r"(?:monthly|every month|each month)\s+on\s+(?:the\s+)?(?:(\d{1,2})(?:st|nd|rd|th)?|(last) day)", rest
    ):
        return _plain(every="month", hour=hour, minute=minute, day=LAST_DAY if found[2] else int(found[1]))
    words = re.sub(r"\b(every|on|and|weekly)\b|,", " ", rest).split()
    days = [n for word in words for n, day in enumerate(EN_DAYS) if day.lower() in (word, word.removesuffix("s"))
            or (len(word) >= 3 and day.lower()[: len(word)] == word)]  # fmt: skip
    if words and len(days) == len(words):
        return _plain(every="week", hour=hour, minute=minute, days=tuple(sorted(set(days))))
    return None


def _en_time(said: str) -> tuple[int, int, str] | None:
    for word, hour in (("midnight", 0), ("noon", 12)):
        if word in said:
            return hour, 0, said.replace(word, "").strip()
    found = CLOCK.search(said)
    if found:
        hour, minute, part = int(found[1]), int(found[2]), (found[3] or "").lower()
    elif found := EN_TIME.search(said):
        hour, minute, part = int(found[1]), 0, found[2].lower()
    else:
        return None
    if part:
        if not 1 <= hour <= 12:
            return 99, 0, ""
        hour = hour % 12 + (12 if part == "pm" else 0)
    return hour, minute, (said[: found.start()] + said[found.end() :]).strip()


def _every(minutes: bool, step: int) -> Plain | None:
    plain = Plain(every="minutes" if minutes else "hours", step=step)
    return plain if from_cron(to_cron(plain)) == plain else None


def _plain(*, every: Every, hour: int = 0, minute: int = 0, days: tuple[int, ...] = (), day: int = 1) -> Plain | None:
    """Build a plain schedule; None if a number is out of the range of a clock or a calendar."""
    plain = Plain(every=every, hour=hour, minute=minute, days=days, day=day)
    return plain if from_cron(to_cron(plain)) == plain else None


def _speak_ko(plain: Plain) -> str:
    at = _ko_clock(plain.hour, plain.minute)
    match plain.every:
        case "minutes":
            return f"{plain.step}분마다"
        case "hours":
            minute = f" {plain.minute}분" if plain.minute else ""
            return f"매시{minute}" if plain.step == 1 and minute else _ko_hours(plain, minute)
        case "day":
            return f"매일 {at}"
        case "week":
            named = {WEEKDAYS: "평일", WEEKEND: "주말"}.get(plain.days)
            days = ", ".join(f"{KO_DAYS[day]}요일" for day in _from_monday(plain.days))
            return f"{named or f'매주 {days}'} {at}"
        case "month":
            return f"매월 {'마지막 날' if plain.day == LAST_DAY else f'{plain.day}일'} {at}"


def _ko_hours(plain: Plain, minute: str) -> str:
    return "매시간" if plain.step == 1 else f"{plain.step}시간마다{minute}"


def _speak_en(plain: Plain) -> str:
    at = _en_clock(plain.hour, plain.minute)
    match plain.every:
        case "minutes":
            return "every minute" if plain.step == 1 else f"every {plain.step} minutes"
        case "hours":
            minute = f" at minute {plain.minute}" if plain.minute else ""
            return f"every hour{minute}" if plain.step == 1 else f"every {plain.step} hours{minute}"
        case "day":
            return f"every day at {at}"
        case "week":
            named = {WEEKDAYS: "weekdays", WEEKEND: "weekends"}.get(plain.days)
            return f"{named or 'every ' + ', '.join(EN_DAYS[day] for day in _from_monday(plain.days))} at {at}"
        case "month":
            on = "the last day" if plain.day == LAST_DAY else f"the {plain.day}{_ordinal(plain.day)}"
            return f"every month on {on} at {at}"


def _ko_clock(hour: int, minute: int) -> str:
    if not minute and hour in (0, 12):
        return "정오" if hour else "자정"
    return f"{'오전' if hour < 12 else '오후'} {hour % 12 or 12}시" + (f" {minute}분" if minute else "")


def _en_clock(hour: int, minute: int) -> str:
    if not minute and hour in (0, 12):
        return "noon" if hour else "midnight"
    return f"{hour % 12 or 12}{f':{minute:02}' if minute else ''} {'am' if hour < 12 else 'pm'}"


def _from_monday(days: tuple[int, ...]) -> list[int]:
    return sorted(days, key=lambda day: (day - 1) % 7)


def _ordinal(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _is(word: str, highest: int) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 2 and int(word) <= highest


def _step(word: str, steps: tuple[int, ...]) -> int:
    """Return the step of a word like `*/5` if it divides the hour or the day evenly; else 0."""
    number = word.removeprefix("*/")
    return int(number) if number != word and _is(number, 59) and int(number) in steps else 0


def _days(word: str) -> tuple[int, ...]:
    """Return the days of a cron word, sorted; empty if the word is more than a list of days."""
    days: set[int] = set()
    for part in word.split(","):
        first, _, last = part.partition("-")
        if not _is(first, 7) or (last and not _is(last, 7)):
            return ()
        days |= {day % 7 for day in range(int(first), int(last or first) + 1)}
    return tuple(sorted(days))
