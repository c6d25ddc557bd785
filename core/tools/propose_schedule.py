"""`propose_schedule`: a person says yes to a time at which the agent works by itself; the yes makes the schedule."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from core.domain.errors import BadInput
from core.domain.plain_schedules import read, to_cron
from core.domain.records import now
from core.domain.schedules import Schedule, Trigger, check, next_after, upcoming
from core.protocol.gateway_api import ToolAnswer
from core.tools.tool import PlatformTool, ToolContext

INPUT_CHARS: Final = 2000
SHOWN: Final = 3


class ProposeSchedule(Struct, frozen=True, kw_only=True):
    """Arguments of `propose_schedule`: the time zone, and one of `when`, `cron` and `at`."""

    timezone: Annotated[str, Meta(min_length=1, max_length=60, description="The user's, for example Asia/Seoul.")]
    when: Annotated[
        str, Meta(max_length=100, description="In plain words, for example: 매일 오전 9시, every weekday at 9:00 am.")
    ] = ""
    cron: Annotated[str, Meta(max_length=120, description="A cron line of five fields, if words do not say it.")] = ""
    at: Annotated[str, Meta(max_length=40, description="For once: a time with its offset, 2026-12-01T09:00+09:00.")] = (
        ""
    )
    input: Annotated[str, Meta(max_length=INPUT_CHARS, description="What each run is told to do; may be empty.")] = ""


def read_proposal(arguments: dict[str, Any]) -> ProposeSchedule:
    """The arguments of a call as it stands in a log. Raises: BadInput: they are none."""
    try:
        return msgspec.convert(arguments, ProposeSchedule)
    except msgspec.ValidationError as error:
        raise BadInput(str(error)) from error


def schedule_of(given: ProposeSchedule) -> Schedule:
    """The schedule that is proposed. Raises: BadInput: it is none, or is over; the text says how to mend it."""
    if sum(map(bool, (given.when, given.cron, given.at))) != 1:
        raise BadInput("give exactly one of when, cron and at", code="bad_schedule")
    cron = given.cron
    if given.when:
        plain = read(given.when)
        if plain is None:
            raise BadInput(f"{given.when!r} is not understood: give a cron line", code="bad_schedule")
        cron = to_cron(plain)
    schedule = check(Schedule(cron=cron, at=_time(given.at), timezone=given.timezone))
    if next_after(schedule, now()) is None:
        raise BadInput("this time has passed", code="never_due")
    return schedule


def _time(at: str) -> datetime | None:
    if not at:
        return None
    try:
        return datetime.fromisoformat(at)
    except ValueError as error:
        raise BadInput(f"{at!r} is no time in ISO 8601", code="bad_schedule") from error


async def _asks(context: ToolContext, given: ProposeSchedule) -> bool:
    return await _made(context, schedule_of(given), given.input) is None


async def _handle(context: ToolContext, given: ProposeSchedule) -> ToolAnswer:
    schedule = schedule_of(given)
    if await _made(context, schedule, given.input) is None:
        return ToolAnswer(text="There is no such schedule: the user has not agreed to it.", is_error=True)
    times = ", ".join(f"{at:%Y-%m-%d %H:%M} UTC" for at in upcoming(schedule, now(), count=SHOWN))
    draft = " It works only once the agent is published." if context.agent.draft else ""
    return ToolAnswer(text=f"The schedule is made. Next: {times}.{draft}")


async def _made(context: ToolContext, schedule: Schedule, input: str) -> Trigger | None:
    """The agent's own schedule of this kind, if it has one."""
    triggers = await context.store.find(Trigger, owner=context.user, where={"agent": context.agent.id})
    return next((one for one in triggers if one.schedule == schedule and one.input == input), None)


TOOL: Final = PlatformTool(
    name="propose_schedule",
    description="Propose when the agent works by itself. The user sees the schedule in words with its next times and "
    "says yes, no, or what to change; only their yes makes it.",
    arguments=ProposeSchedule,
    handle=_handle,
    asks=_asks,
)
