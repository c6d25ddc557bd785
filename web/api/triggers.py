"""Triggers of agents: schedules, and what they are due next."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from core.domain.plain_schedules import from_cron, read, speak, to_cron
from core.domain.schedules import PAUSE_AFTER, CatchUp, Overlap, Schedule, Trigger
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller

KEEP = msgspec.UNSET


class NewTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule: a cron line of five fields, or one time `at`, in a time zone.

    It pauses itself after `pause_after` failures in a row; 0: never.
    """

    kind: Literal["schedule"] = "schedule"
    cron: str = ""
    at: datetime | None = None
    timezone: str = "UTC"
    input: dict[str, Any] | str = ""
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    jitter_s: int = 0
    pause_after: int = PAUSE_AFTER
    enabled: bool = True


class TriggerChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that change; the others stay."""

    cron: str | msgspec.UnsetType = KEEP
    at: datetime | msgspec.UnsetType | None = KEEP
    timezone: str | msgspec.UnsetType = KEEP
    input: dict[str, Any] | str | msgspec.UnsetType = KEEP
    overlap: Overlap | msgspec.UnsetType = KEEP
    catch_up: CatchUp | msgspec.UnsetType = KEEP
    jitter_s: int | msgspec.UnsetType = KEEP
    pause_after: int | msgspec.UnsetType = KEEP


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """The reason of a pause, for those who look at the schedule later."""

    why: str = ""


class PreviewAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that somebody is typing: plain words, or a cron line, or one time."""

    words: str = ""
    cron: str = ""
    at: datetime | None = None
    timezone: str = "UTC"


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The next times, in UTC. `words` says the schedule plainly, if that can be said."""

    next: list[datetime]
    cron: str
    words: str


class TriggerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger. `next` are its next times in UTC, none while it is paused."""

    id: str
    kind: str
    agent: str
    cron: str
    at: datetime | None
    timezone: str
    input: dict[str, Any] | str
    overlap: Overlap
    catch_up: CatchUp
    jitter_s: int
    pause_after: int
    enabled: bool
    paused_by: str
    paused_why: str
    paused_at: datetime | None
    next: list[datetime]


class DeletedTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the deleted trigger."""

    id: str


class AgentTriggers(msgspec.Struct, frozen=True, kw_only=True):
    """The triggers of an agent."""

    triggers: list[TriggerAnswer]


def router(services: Services) -> ApiRouter:
    """Routes under `/triggers`, and those of an agent's triggers."""
    api = ApiRouter("triggers")
    _of_an_agent(api, services)
    _one(api, services)
    return api


def _of_an_agent(api: ApiRouter, services: Services) -> None:
    @api.endpoint("POST", "/agents/{agent}/triggers", status=201, problems=(404, 409))
    async def create_trigger(agent: str, body: NewTrigger, user: Caller) -> TriggerAnswer:
        """Give an agent a schedule."""
        made = await services.schedules.create(
            agent,
            Schedule(cron=body.cron, at=body.at, timezone=body.timezone),
            user=user.user_id,
            input=body.input,
            overlap=body.overlap,
            catch_up=body.catch_up,
            jitter_s=body.jitter_s,
            pause_after=body.pause_after,
            enabled=body.enabled,
        )
        return _answer(services, made)

    @api.endpoint("GET", "/agents/{agent}/triggers", problems=(404,))
    async def list_triggers(agent: str, user: Caller) -> AgentTriggers:
        """List an agent's triggers."""
        await services.agents.get(agent, user=user.user_id)
        found = await services.schedules.of_agent(agent, user=user.user_id)
        return AgentTriggers(triggers=[_answer(services, trigger) for trigger in found])


def _one(api: ApiRouter, services: Services) -> None:
    @api.endpoint("PATCH", "/triggers/{trigger}", problems=(404,))
    async def change_trigger(trigger: str, body: TriggerChange, user: Caller) -> TriggerAnswer:
        """Change a trigger, from its next slot on."""
        found = await services.schedules.get(trigger, user=user.user_id)
        changed = await services.schedules.change(trigger, user=user.user_id, **_changes(found, body))
        return _answer(services, changed)

    @api.endpoint("DELETE", "/triggers/{trigger}", problems=(404,))
    async def delete_trigger(trigger: str, user: Caller) -> DeletedTrigger:
        """Delete a trigger; the runs that it started stay."""
        await services.schedules.delete(trigger, user=user.user_id)
        return DeletedTrigger(id=trigger)

    @api.endpoint("POST", "/triggers/{trigger}/pause", problems=(404,))
    async def pause_trigger(trigger: str, body: Pause, user: Caller) -> TriggerAnswer:
        """Let nothing of it be due until it is resumed."""
        return _answer(services, await services.schedules.pause(trigger, user=user.user_id, why=body.why))

    @api.endpoint("POST", "/triggers/{trigger}/resume", problems=(404,))
    async def resume_trigger(trigger: str, user: Caller) -> TriggerAnswer:
        """Put it in force again, from now on."""
        return _answer(services, await services.schedules.resume(trigger, user=user.user_id))

    @api.endpoint("POST", "/triggers/preview")
    async def preview(body: PreviewAsked, user: Caller) -> Preview:
        """Say when a schedule would be due next, without making it."""
        plain = read(body.words) if body.words else from_cron(body.cron)
        cron = to_cron(plain) if body.words and plain else body.cron
        times = services.schedules.preview(Schedule(cron=cron, at=body.at, timezone=body.timezone))
        return Preview(next=times, cron=cron, words=speak(plain, user.locale or "ko") if plain else "")


def _changes(trigger: Trigger, body: TriggerChange) -> dict[str, Any]:
    given = {name: getattr(body, name) for name in body.__struct_fields__ if getattr(body, name) is not KEEP}
    when = {name: given.pop(name) for name in ("cron", "at", "timezone") if name in given}
    if when.get("cron"):
        when.setdefault("at", None)
    elif when.get("at"):
        when.setdefault("cron", "")
    return given | ({"schedule": msgspec.structs.replace(trigger.schedule, **when)} if when else {})


def _answer(services: Services, trigger: Trigger) -> TriggerAnswer:
    when = trigger.schedule
    same = (
        "id",
        "kind",
        "agent",
        "input",
        "overlap",
        "catch_up",
        "jitter_s",
        "pause_after",
        "enabled",
        "paused_by",
        "paused_why",
    )
    return TriggerAnswer(
        cron=when.cron,
        at=when.at,
        timezone=when.timezone,
        paused_at=trigger.paused_at,
        next=services.schedules.upcoming(trigger, count=5),
        **{name: getattr(trigger, name) for name in same},
    )
