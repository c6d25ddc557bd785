"""A person's life in a cluster, with boxes of either kind: they work, their box sleeps and wakes, and they leave."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from core.spawner.kubernetes import DOMAIN
from core.spawner.kubernetes_view import USER
from tests.cloud.cloud import Cloud
from tests.cloud.stores import Stores
from tests.e2e.company import open_page
from tests.e2e.conftest import Visit
from tests.e2e.screen import Screen, assert_in_order, kinds, texts
from tests.e2e.test_cloud import TURN_S, come_in
from tests.firestore_emulator import Emulator
from tests.model_server import ModelServer
from tests.people import ALICE, BOB

ASLEEP_S = 90.0  # a sweep is every 30 s
GONE_S = 60.0
SECRET = "canary-of-alice-in-the-vault"

pytestmark = [pytest.mark.xdist_group("cloud"), pytest.mark.proof]


@pytest_asyncio.fixture(loop_scope="session", params=["production", "minimal"], ids=["agent-sandbox", "StatefulSets"])
async def cloud(
    tmp_path: Path, model: ModelServer, firestore_emulator: Emulator, request: pytest.FixtureRequest
) -> AsyncIterator[Cloud]:
    where = {"overlay": request.param, "firestore": firestore_emulator}
    async with Cloud(tmp_path / "cloud", model_url=model.url, **where, OMA_IDLE_RUNNER_S="5") as running:
        yield running


async def test_they_work_their_box_sleeps_and_wakes_with_their_files_and_they_leave_nothing(
    cloud: Cloud, visit: Visit
) -> None:
    alice, bob = await come_in(visit, cloud), await come_in(visit, cloud, BOB)
    for person, canary in ((alice, "canary-of-alice"), (bob, "canary-of-bob")):
        await person.new_agent()
        await person.say(f"WRITE((({canary}.txt)))((({canary})))")
        assert kinds(await person.until_turns(1, within_s=TURN_S), "turn_finished")[0]["outcome"] == "ok"
    if (names := cloud.cluster.names).address:
        assert any(name.endswith(f".{DOMAIN}.cluster.local") for name in names.asked), (
            "the runner was reached by a name"
        )
    await sleeps_and_wakes(cloud, alice)
    await keeps_a_secret(alice)
    await leaves(cloud, alice)
    await bob.say("TOOL(((cat canary-of-bob.txt)))")
    assert "canary-of-bob" in texts(await bob.until_turns(2, within_s=TURN_S))[-1]
    again = await come_in(visit, cloud)
    await expect(again.get("agent-card")).to_have_count(0)


async def sleeps_and_wakes(cloud: Cloud, alice: Screen) -> None:
    workspace = alice.page.url
    await alice.page.goto("about:blank")
    async with asyncio.timeout(ASLEEP_S):
        while pod_of(cloud, alice_agent := workspace.split("/")[-1].split("?")[0]):
            await asyncio.sleep(0.2)
    await alice.page.goto(workspace)  # nothing is said: that somebody looks wakes it
    async with asyncio.timeout(TURN_S):
        while not pod_of(cloud, alice_agent):
            await asyncio.sleep(0.2)
    await expect(alice.get("composer")).to_be_editable()
    await alice.say("TOOL(((cat canary-of-alice.txt)))")
    events = await alice.until_turns(2, within_s=TURN_S)
    assert "canary-of-alice" in texts(events)[-1]
    assert [end["outcome"] for end in kinds(events, "turn_finished")] == ["ok", "ok"]
    assert_in_order(events)


def pod_of(cloud: Cloud, agent: str) -> bool:
    return any(cloud.cluster.has_home_of(pod, agent) for pod in cloud.cluster.all("pods"))


async def keeps_a_secret(alice: Screen) -> None:
    page = await alice.another_tab()
    await open_page(page, "/settings/secrets")
    await page.get("secret-name").fill("NAME")
    await page.get("add-secret").get_by_test_id("secret-value").fill(SECRET)
    await page.get("save-secret").click()
    await expect(page.get("secret")).to_have_count(1)
    await page.page.close()


async def leaves(cloud: Cloud, alice: Screen) -> None:
    """Delete the account in the browser; within a minute only ids in the audit log are left."""
    agent, user, stores = alice.agent, user_of(cloud, alice), Stores(cloud)
    words = ("canary-of-alice", SECRET, ALICE["email"], ALICE["name"], alice.session, agent, user)
    before = await stores.having(*words)
    assert before["canary-of-alice"] >= {"Firestore owners", "volumes"}, "the search finds what is there"
    assert before[SECRET] == {"Secret Manager"}, "and nowhere else"
    assert before[user] >= {"Firestore owners", "cluster"}
    page = await alice.another_tab()
    await open_page(page, "/settings")
    await page.get("delete-account-open").click()
    await page.get("delete-phrase").fill("delete everything")
    began = time.monotonic()
    await page.get("delete-account").click()
    for tab in (page, alice):
        await tab.page.wait_for_url("**/login**")
    audit = {agent: {"Firestore audit"}, user: {"Firestore audit"}}  # who made what stays told
    while (left := await stores.having(*words)) != audit:
        assert time.monotonic() - began < GONE_S, left
        await asyncio.sleep(0.5)


def user_of(cloud: Cloud, person: Screen) -> str:
    """Their id, as the operator reads it at their box."""
    pod = next(pod for pod in cloud.cluster.all("pods") if cloud.cluster.has_home_of(pod, person.agent))
    above = pod
    while USER not in above["metadata"].get("annotations", {}):
        uid = above["metadata"]["ownerReferences"][0]["uid"]
        above = next(one for one in cloud.cluster.everything() if one["metadata"]["uid"] == uid)
    return str(above["metadata"]["annotations"][USER])
