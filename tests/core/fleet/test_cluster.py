"""The main job in the fake cluster: claim, real runner as its pod, real CLI, real gateway; and what clusters do."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.config.settings import Settings
from core.domain.events import AnyEvent, Text, TextDelta, TurnFinished, UserSaid, seq_of
from core.domain.records import SYSTEM, Agent, Box, Session, new_session_id, now
from core.fleet.gateway_link import RemoteGateway
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_pool import RunnerPool
from core.services.audit import Audit
from core.services.conversations import Conversations
from core.spawner.kubernetes import NAMESPACE, KubernetesSpawner
from core.spawner.kubernetes_api import ClusterApi, opened_api
from tests.core.gateway.cluster_processes import BOOT_KEY, ClusterProcesses
from tests.core.gateway.gateway_harness import ALICE
from tests.core.runner.box import CLI
from tests.kube.cluster import Cluster
from tests.product import MAIN

PATIENCE_S = 90.0
LONG = "N=400 GAP=0.02"
WHOLE = " ".join(f"w{n}" for n in range(400))


class Web:
    """The objects of one web process."""

    def __init__(self, world: ClusterProcesses, api: ClusterApi, **limits: float) -> None:
        spawner = KubernetesSpawner(api, Settings(), boot_key=BOOT_KEY, start_s=60.0)
        self.runners = RunnerPool(
            store=world.store,
            spawner=spawner,
            gateway_link=RemoteGateway(),
            limits=IdleLimits(**limits),
            sweep_s=0.2,  # type: ignore[arg-type]
        )
        self.conversations = Conversations(store=world.store, runners=self.runners, audit=Audit(world.store))

    @asynccontextmanager
    async def follow(self, session: str, after: int | None = None) -> AsyncIterator["Seen"]:
        async with self.conversations.follow(session, user=ALICE, after=after) as batches:
            yield Seen(batches)


class Seen:
    """The events that a page has seen so far."""

    def __init__(self, batches: AsyncIterator[list[AnyEvent]]) -> None:
        self._batches, self.events = batches, list[AnyEvent]()

    async def until(self, so: Callable[[AnyEvent], Any]) -> AnyEvent:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                batch = await anext(self._batches)
                self.events += batch
                if found := next(filter(so, batch), None):
                    return found

    def numbers(self) -> list[int]:
        return [seq_of(event) for event in self.events if seq_of(event)]

    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Text)).strip()


class Scene:
    def __init__(self, world: ClusterProcesses, cluster: Cluster, api: ClusterApi) -> None:
        self.world, self.cluster, self.api = world, cluster, api

    async def session(self) -> str:
        moment, id = now(), new_session_id()
        await self.world.store.put(Agent(id="a1", name="A", created_at=moment, updated_at=moment), owner=ALICE)
        session = Session(id=id, agent="a1", locale="en", created_at=moment, updated_at=moment)
        await self.world.store.put(session, owner=ALICE)
        return id

    async def pod(self) -> str:
        [box] = await self.world.store.find(Box, owner=SYSTEM)
        return str(box.spawner_state["object"])

    async def until_asleep(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.world.store.find(Box, owner=SYSTEM):
                await asyncio.sleep(0.05)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with ClusterProcesses(tmp_path) as world:
        gateway = await world.gateway()
        command = [sys.executable, str(MAIN), "runner", "--listen={ip}:8080", "--home={home}"]
        command += [f"--gateway={gateway.url}", f"--cli={CLI}", f"--boot-key={tmp_path / 'boot-key'}", "--pod={pod}"]
        async with (
            Cluster(tmp_path / "cluster", pod_command=command) as cluster,
            opened_api(cluster.url, NAMESPACE) as api,
        ):
            yield Scene(world, cluster, api)


async def say(web: Web, session: str, text: str, id: str) -> None:
    await web.conversations.say(session, user=ALICE, text=text, message_id=id)


def end(event: AnyEvent) -> bool:
    return isinstance(event, TurnFinished)


async def test_a_first_message_gets_a_box_and_an_answer_and_the_next_one_wakes_the_box(scene: Scene) -> None:
    session, web = await scene.session(), Web(scene.world, scene.api, idle_runner_s=0.5)
    async with web.runners, web.follow(session) as seen:
        await say(web, session, "N=20", "1")
        assert (await seen.until(end)).outcome == "ok"  # type: ignore[union-attr]
        await scene.until_asleep()
        await say(web, session, "N=20", "2")
        await seen.until(lambda e: isinstance(e, UserSaid) and e.message_id == "2")
        assert (await seen.until(end)).outcome == "ok"  # type: ignore[union-attr]
        assert seen.numbers() == list(range(1, len(seen.numbers()) + 1)), "one log, on the volume"
        await web.runners.stop(ALICE)


async def test_an_answer_goes_on_while_webs_come_and_go_and_two_of_them_show_it(scene: Scene) -> None:
    session, first = await scene.session(), Web(scene.world, scene.api)
    async with first.runners, first.follow(session) as seen:
        await say(first, session, LONG, "1")
        await seen.until(lambda e: isinstance(e, TextDelta))
    second, third = Web(scene.world, scene.api), Web(scene.world, scene.api)
    async with (
        second.runners,
        third.runners,
        second.follow(session, after=0) as one,
        third.follow(session, after=0) as other,
    ):
        ends = await asyncio.gather(one.until(end), other.until(end))
        assert [event.outcome for event in ends if isinstance(event, TurnFinished)] == ["ok", "ok"]
        assert one.text() == other.text() == WHOLE
        assert one.numbers() == other.numbers() == list(range(1, len(one.numbers()) + 1))
        await second.runners.stop(ALICE)


@pytest.mark.parametrize(
    "fault", ["drain", *(pytest.param(fault, marks=pytest.mark.proof) for fault in ("evict", "kill"))]
)
async def test_a_turn_whose_pod_is_taken_away_is_interrupted_and_the_next_message_resumes(
    scene: Scene, fault: str
) -> None:
    session, web = await scene.session(), Web(scene.world, scene.api)
    async with web.runners, web.follow(session) as seen:
        await say(web, session, LONG, "1")
        await seen.until(lambda e: isinstance(e, TextDelta))
        pod = await scene.pod()
        {"drain": scene.cluster.drain, "evict": scene.cluster.evict, "kill": scene.cluster.kubelet.kill}[fault](pod)
        assert (await seen.until(end)).outcome == "interrupted"  # type: ignore[union-attr]
        await say(web, session, "N=20", "2")
        await seen.until(lambda e: isinstance(e, UserSaid) and e.message_id == "2")
        assert (await seen.until(end)).outcome == "ok"  # type: ignore[union-attr]
        assert seen.numbers() == list(range(1, len(seen.numbers()) + 1))
        await web.runners.stop(ALICE)
