"""A yes to a platform tool does what was asked, once, for the session's own agent, and only with what is needed."""

import pytest

from core.domain.errors import BadInput, Conflict, NotFound
from core.domain.events import Asked
from core.domain.records import Agent, Request, Session, now
from core.protocol import platform_tools as ours
from core.services.agent_versions import AgentVersions
from core.services.platform_requests import PlatformRequests
from core.services.schedules import Schedules
from core.services.secrets import Secrets
from core.vault.local import LocalVault
from tests.core.services.test_conversations import ALICE, BOB, Stage
from tests.core.services.test_conversations import stage as stage  # a fixture

WHEN = {"when": "매일 오전 9시", "timezone": "Asia/Seoul", "input": "요약해 줘"}


@pytest.fixture
def requests(stage: Stage, tmp_path: object) -> PlatformRequests:
    schedules = Schedules(stage.store, audit=stage.audit, wake=lambda: None)
    vault = LocalVault(tmp_path)  # type: ignore[arg-type]  # pytest gives a path
    secrets = Secrets(vault=vault, store=stage.store, runners=stage.runners, audit=stage.audit)
    versions = AgentVersions(store=stage.store, runners=stage.runners, agents=stage.agents, audit=stage.audit)
    return PlatformRequests(
        store=stage.store, conversations=stage.conversations, secrets=secrets, schedules=schedules, versions=versions
    )


def asked(tool: str, id: str = "r1", **given: object) -> Asked:
    return Asked(seq=1, at=now(), request_id=id, kind="permission", tool=tool, input=given)


async def triggers(stage: Stage, session: Session) -> int:
    schedules = Schedules(stage.store, audit=stage.audit, wake=lambda: None)
    return len(await schedules.of_agent(session.agent, user=ALICE))


async def test_the_same_yes_again_makes_no_second_schedule(stage: Stage, requests: PlatformRequests) -> None:
    session = await stage.new()
    for _ in range(2):  # the web was killed between the schedule and the answer
        await requests.carry_out(asked(ours.PROPOSE_SCHEDULE_TOOL, **WHEN), session, ALICE)
    assert await triggers(stage, session) == 1
    await requests.carry_out(asked(ours.PROPOSE_SCHEDULE_TOOL, id="r2", **WHEN), session, ALICE)
    assert await triggers(stage, session) == 2, "another request is another schedule"
    with pytest.raises(BadInput):
        await requests.carry_out(asked(ours.PROPOSE_SCHEDULE_TOOL, id="r3", when="whenever"), session, ALICE)
    with pytest.raises(NotFound):
        await requests.carry_out(asked(ours.PROPOSE_SCHEDULE_TOOL, id="r4", **WHEN), session, BOB)


async def test_a_yes_without_a_value_gives_no_secret(stage: Stage, requests: PlatformRequests) -> None:
    session = await stage.new()
    with pytest.raises(Conflict, match="not been entered"):
        await requests.carry_out(asked(ours.REQUEST_SECRET_TOOL, name="TOKEN"), session, ALICE)
    assert (await stage.store.get(Agent, session.agent, owner=ALICE)).secrets == ()


async def test_a_value_is_taken_only_for_a_request_about_a_secret_in_its_own_session(
    stage: Stage, requests: PlatformRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.platform_requests.BACKOFF_S", (0.0,))
    session, other = await stage.new(), await stage.new()
    events = [asked(ours.REQUEST_SECRET_TOOL, name="TOKEN"), asked("Bash", id="r2", command="ls")]
    events[1] = Asked(**{name: getattr(events[1], name) for name in events[1].__struct_fields__} | {"seq": 2})
    await stage.store.append(session.id, events, owner=ALICE)
    for id, seq in (("r1", 1), ("r2", 2)):
        entry = Request(
            id=id, agent=session.agent, session=session.id, kind="permission", asked_at=now(), seq=seq
        )  # fmt: skip
        await stage.store.put(entry, owner=ALICE)
    for wrong, request, user in ((other.id, "r1", ALICE), (session.id, "r2", ALICE), (session.id, "r1", BOB)):
        with pytest.raises(NotFound):
            await requests.give_secret(wrong, request, "canary-value", user=user)
    assert (await stage.store.get(Agent, session.agent, owner=ALICE)).secrets == ()
    await requests.carry_out(asked("Bash", id="r2", command="ls"), session, ALICE)  # of no platform tool: nothing
