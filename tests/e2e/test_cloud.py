"""The platform as a cluster runs it: nothing of a session lives in a web, so any process may go in mid-answer."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.cloud.cloud import Cloud
from tests.e2e.company import enter
from tests.e2e.conftest import Visit
from tests.e2e.screen import Screen, assert_in_order, kinds, numbered, texts
from tests.e2e.test_practice import ANSWER, GREETING, WISH, allow_all, answer_the_builder
from tests.firestore_emulator import Emulator
from tests.model_server import ModelServer
from tests.people import ALICE, BOB, CHARLIE, ROOT

TURN_S = 120.0
INTERRUPTED_MS = 30_000  # a dead runner is told within this
SESSIONS_EACH = 5  # of four people: twenty that stream while both webs are replaced
WORDS, GAP_S = 300, 0.4  # of each of them: two minutes, and no longer than two webs take to go and come back
SLOW = "N=300 GAP=0.05"

pytestmark = pytest.mark.xdist_group("cloud")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def slow_model() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def cloud(
    tmp_path_factory: pytest.TempPathFactory, slow_model: ModelServer, firestore_emulator: Emulator
) -> AsyncIterator[Cloud]:
    """A cloud for all walks with long answers: whatever they end comes back, and nobody notices."""
    folder, live = tmp_path_factory.mktemp("walks") / "cloud", str(SESSIONS_EACH)
    started = Cloud(folder, model_url=slow_model.url, firestore=firestore_emulator, OMA_MAX_LIVE_SESSIONS=live)
    async with started as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def practice_cloud(tmp_path: Path, firestore_emulator: Emulator) -> AsyncIterator[Cloud]:
    async with Cloud(tmp_path / "cloud", firestore=firestore_emulator) as running:
        yield running


async def come_in(visit: Visit, cloud: Cloud, person: dict[str, object] = ALICE, **how: object) -> Screen:
    """Signed in, on the dashboard; the browser may say that its connection was lost."""
    screen = await enter(visit, cloud, person, **how)  # type: ignore[arg-type]  # url is all it takes of a product
    screen.allow_disconnects()
    screen.allow(r"50[234]")
    return screen


async def test_the_main_job_in_a_cluster(practice_cloud: Cloud, visit: Visit) -> None:
    await main_job(practice_cloud, visit)


async def main_job(cloud: Cloud, visit: Visit) -> None:
    """Walk from the greeting to an agent on the dashboard, whose files are on the person's volume."""
    screen = await come_in(visit, cloud, locale="ko-KR")
    await screen.new_agent()
    await screen.say("안녕?")
    assert texts(await screen.until_turns(1, within_s=TURN_S)) == [GREETING]
    await screen.page.goto(cloud.url + "/dashboard")
    await screen.new_agent()
    await screen.say(WISH["ko-KR"])
    await answer_the_builder(screen, ANSWER["ko-KR"])
    await expect(screen.permission.first).to_be_visible()
    await allow_all(screen)
    names = [event["name"] for event in kinds(await screen.events(), "tool_called")]
    assert "Write" in names and "Bash" in names
    volume = next((cloud.folder / "cluster" / "volumes").glob(f"*/agents/{screen.agent}"))
    assert (volume / "CLAUDE.md").read_text().strip()
    await screen.page.goto(cloud.url + "/dashboard")
    await expect(screen.get("agent-card")).to_have_count(2)


@pytest.mark.proof
async def test_one_session_is_followed_on_two_webs_and_outlives_either(
    cloud: Cloud, visit: Visit, chromium: Browser
) -> None:
    screen = await come_in(visit, cloud)
    await screen.new_agent()
    other = await another_web(cloud, visit, screen)
    await screen.say(SLOW)
    for one in (screen, other):
        await one.until_word("w10")
    for web in cloud.webs:
        await web.end(signal.SIGKILL)
        await web.start()
    events = await screen.until_turns(1, within_s=TURN_S)
    assert texts(events) == [" ".join(numbered(300))]
    assert kinds(events, "turn_finished")[0]["outcome"] == "ok"
    assert_in_order(events)
    for one in (screen, other):
        await one.until_word("w299")
        assert await one.words() == numbered(300)


async def another_web(cloud: Cloud, visit: Visit, like: Screen) -> Screen:
    """The same login in another browser, sent by the balancer to the web that the first one is not on."""
    cookies = await like.page.context.cookies()
    taken = next(cookie["value"] for cookie in cookies if cookie["name"] == "WEB")
    screen = await visit(cloud)
    screen.allow_disconnects()
    screen.allow(r"50[234]")
    kept = [cookie | {"value": other_than(taken)} if cookie["name"] == "WEB" else cookie for cookie in cookies]
    await screen.page.context.add_cookies(kept)  # type: ignore[arg-type]
    await screen.page.goto(like.page.url)
    await expect(screen.get("composer")).to_be_editable()
    return screen


def other_than(web: str) -> str:
    return "web1" if web == "web0" else "web0"


@pytest.mark.proof
async def test_a_gateway_that_is_killed_in_mid_answer_is_not_missed(cloud: Cloud, visit: Visit) -> None:
    screen = await come_in(visit, cloud)
    await screen.new_agent()
    await screen.say(SLOW)
    await screen.until_word("w10")
    for gateway in cloud.gateways:
        await gateway.end(signal.SIGKILL)
        await gateway.start()
    events = await screen.until_turns(1, within_s=TURN_S)
    assert texts(events) == [" ".join(numbered(300))], "the CLI asks again, and the second answer replaces the first"
    assert kinds(events, "turn_finished")[0]["outcome"] == "ok"
    assert_in_order(events)
    assert await screen.words() == numbered(300)


@pytest.mark.proof
async def test_a_box_that_dies_in_mid_turn_is_told_and_the_next_message_finds_the_files(
    cloud: Cloud, visit: Visit
) -> None:
    await box_dies(cloud, visit, cloud.cluster.kubelet.kill)


async def box_dies(cloud: Cloud, visit: Visit, kill: Callable[[str], object]) -> None:
    """`kill` ends a pod's container, by the pod's name, and tells nobody."""
    screen = await come_in(visit, cloud)
    await screen.new_agent()
    await screen.say("WRITE(((kept.txt)))(((of before)))")
    await screen.until_turns(1, within_s=TURN_S)
    await screen.say(SLOW)
    await screen.until_word("w10")
    box = next(pod for pod in cloud.cluster.all("pods") if cloud.cluster.has_home_of(pod, screen.agent))
    kill(box["metadata"]["name"])
    await expect(screen.get("transcript")).to_contain_text("box was lost", timeout=INTERRUPTED_MS)
    await screen.say("TOOL(((cat kept.txt)))")
    events = await screen.until_turns(3, within_s=TURN_S)
    assert [end["outcome"] for end in kinds(events, "turn_finished")] == ["ok", "interrupted", "ok"]
    assert "of before" in texts(events)[-1]
    assert_in_order(events)


@pytest.mark.proof
async def test_a_rolling_restart_under_twenty_streams_loses_and_doubles_nothing(
    cloud: Cloud, visit: Visit, slow_model: ModelServer
) -> None:
    people = [await come_in(visit, cloud, person) for person in (ALICE, BOB, CHARLIE, ROOT)]
    streams = [stream for person in people for stream in await streaming(cloud, person)]
    await asyncio.gather(*(person.until_word("w10") for person in people))
    await cloud.roll(cloud.webs)
    for person, session in streams:
        assert not kinds(await stored_so_far(cloud, person, session), "turn_finished"), "it ended before the webs"
    slow_model.hurry()
    for person in people:
        await person.until_word(f"w{WORDS - 1}")
        assert await person.words() == numbered(WORDS)
    for person, session in streams:
        events = await stored(cloud, person, session)
        assert texts(events) == [" ".join(numbered(WORDS))]
        assert [end["outcome"] for end in kinds(events, "turn_finished")] == ["ok"]
        assert_in_order(events)
    assert len(streams) == 4 * SESSIONS_EACH


async def streaming(cloud: Cloud, person: Screen) -> list[tuple[Screen, str]]:
    """Sessions of one agent of theirs that all answer at length; they look at the first one."""
    await person.new_agent()
    agent, first = person.agent, person.session
    ask, origin = person.page.request, {"Origin": cloud.url}
    sessions = [first]
    for _ in range(SESSIONS_EACH - 1):
        made = await ask.post(f"{cloud.url}/api/v1/agents/{agent}/sessions", headers=origin, data={})
        assert made.ok, await made.text()
        sessions.append((await made.json())["id"])
    for session in sessions:
        said = {"text": f"N={WORDS} GAP={GAP_S}", "message_id": str(uuid.uuid4())}
        answer = await ask.post(f"{cloud.url}/api/v1/sessions/{session}/messages", headers=origin, data=said)
        assert answer.ok, await answer.text()
    return [(person, session) for session in sessions]


async def stored(cloud: Cloud, person: Screen, session: str) -> list[dict[str, object]]:
    """Everything stored of it, once its turn has ended."""
    events: list[dict[str, object]] = []
    async with asyncio.timeout(TURN_S):
        while not kinds(events, "turn_finished"):
            events += await stored_so_far(cloud, person, session, after=len(events))
            await asyncio.sleep(0.2)
    return events


async def stored_so_far(cloud: Cloud, person: Screen, session: str, *, after: int = 0) -> list[dict[str, object]]:
    answer = await person.page.request.get(f"{cloud.url}/api/v1/sessions/{session}/events?after={after}")
    assert answer.ok, await answer.text()
    found: list[dict[str, object]] = (await answer.json())["events"]
    return found
