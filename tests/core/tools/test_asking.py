"""Tools that a person decides about: who is asked, who is not, and that a handler only reports what is there."""

from typing import Any

import pytest

from core.domain.events import Text, TurnFinished
from core.domain.records import Agent, now
from core.domain.runs import Run, TriggerKind
from core.domain.schedules import Schedule, Trigger
from core.domain.states import RunState
from core.store.sqlite import SqliteStore
from core.tools.registry import carry_out, check
from core.tools.tool import ToolContext
from tests.core.tools.conftest import ALICE

SECRET = {"name": "TOKEN", "why": "for the API"}
WHEN = {"when": "매일 오전 9시", "timezone": "Asia/Seoul"}


async def test_a_secret_is_asked_for_until_the_agent_has_it_and_its_value_is_never_said(
    context: ToolContext, store: SqliteStore
) -> None:
    assert (await check(context, "request_secret", SECRET)).ask
    assert (await carry_out(context, "request_secret", SECRET)).is_error, "a box that skips the question gets nothing"
    await context.vault.put("TOKEN", "canary-value", owner=ALICE)
    assert (await check(context, "request_secret", SECRET)).ask, "it is another agent's so far"
    await store.change(Agent, "a1", owner=ALICE, secrets=("TOKEN",))
    assert not (await check(context, "request_secret", SECRET)).ask
    answer = await carry_out(context, "request_secret", SECRET)
    assert not answer.is_error and "TOKEN is there" in answer.text and "canary" not in answer.text


@pytest.mark.parametrize("name", ["PATH", "lower", "", "A B", "ANTHROPIC_API_KEY"])
async def test_nobody_is_asked_for_what_no_secret_can_be_called(context: ToolContext, name: str) -> None:
    answer = await check(context, "request_secret", {"name": name})
    assert not answer.ask and answer.refusal.startswith("It was not done")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"when": "sometimes", "timezone": "UTC"}, "not understood"),
        ({"when": "every day at 9 am", "timezone": "Mars/Base"}, "no time zone"),
        ({"cron": "61 * * * *", "timezone": "UTC"}, "not a cron line"),
        ({"cron": "0 9 * * *", "when": "every day at 9 am", "timezone": "UTC"}, "exactly one"),
        ({"timezone": "UTC"}, "exactly one"),
        ({"at": "2001-01-01T00:00:00+00:00", "timezone": "UTC"}, "has passed"),
        ({"at": "tomorrow", "timezone": "UTC"}, "no time in ISO"),
        ({"when": "every day at 9 am"}, "timezone"),
        ({"when": "every day at 9 am", "timezone": "UTC", "input": "x" * 2001}, "2000"),
    ],
)
async def test_a_schedule_that_is_none_is_for_the_model_to_mend(
    context: ToolContext, given: dict[str, Any], why: str
) -> None:
    assert why in (await check(context, "propose_schedule", given)).refusal


async def test_a_schedule_is_asked_about_until_it_is_there(context: ToolContext, store: SqliteStore) -> None:
    assert (await check(context, "propose_schedule", WHEN)).ask
    assert (await carry_out(context, "propose_schedule", WHEN)).is_error
    at = now()
    schedule = Schedule(cron="0 9 * * *", timezone="Asia/Seoul")
    trigger = Trigger(id="t1", agent="a1", schedule=schedule, counted_from=at, created_at=at, updated_at=at)
    await store.create(trigger, owner=ALICE)
    assert not (await check(context, "propose_schedule", WHEN)).ask
    answer = await carry_out(context, "propose_schedule", WHEN)
    assert "The schedule is made" in answer.text and "once the agent is published" in answer.text
    assert (await check(context, "propose_schedule", WHEN | {"input": "else"})).ask, "another one is another one"


async def test_a_draft_is_published_by_a_person_only(context: ToolContext, store: SqliteStore) -> None:
    assert (await check(context, "publish_agent", {"note": "n"})).ask
    assert (await carry_out(context, "publish_agent", {"note": "n"})).is_error
    await store.change(Agent, "a1", owner=ALICE, draft=False)
    assert not (await carry_out(context, "publish_agent", {"note": "n"})).is_error
    await store.change(Agent, "a1", owner=ALICE, name="")
    assert "no name" in (await check(context, "publish_agent", {"note": "n"})).refusal


async def test_a_run_is_read_by_the_builder_of_its_own_agent_alone(context: ToolContext, store: SqliteStore) -> None:
    assert "has not run yet" in (await carry_out(context, "read_run", {})).text
    at = now()
    for id, agent in (("r1", "a1"), ("r2", "a2")):
        run = Run(
            id=id, agent=agent, session="s-" + id, trigger_kind=TriggerKind.PERSON, trigger=ALICE, at=at, created_at=at,
            state=RunState.FAILED, reason="no_output",
        )  # fmt: skip
        await store.create(run, owner=ALICE)
    events = [Text(seq=1, at=at, message="m", block=0, text="All done."), TurnFinished(seq=2, at=at, outcome="error")]
    await store.append("s-r1", events, owner=ALICE)
    answer = await carry_out(context, "read_run", {})
    for part in ("run r1", "state: failed", "reason: no_output", "said: All done.", "ended: error"):
        assert part in answer.text
    for other in ("r2", "r3"):
        assert (await carry_out(context, "read_run", {"run": other})).is_error
