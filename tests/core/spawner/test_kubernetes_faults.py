"""Tests of faults that keep a box from starting, at both backends: how soon and how exactly a person is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.domain.errors import RunnerUnavailable
from core.domain.records import Box
from core.spawner import Phase, Poll
from core.spawner.kubernetes_view import BOX, code_of
from tests.contract.places import OVERLAYS, InCluster, in_cluster
from tests.core.spawner.boxes import box, started
from tests.kube.controllers import CORE, EXTENSIONS
from tests.kube.objects import Key

PATIENCE_S = 60.0
GIVE_UP_S = 2.0
POOL = Key(EXTENSIONS, "sandboxwarmpools", "agents", "runners")
SANDBOX, SET = "agent-sandbox", "StatefulSets"
P = Phase


@pytest.fixture(params=[SANDBOX, SET])
async def hasty(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[InCluster]:
    """A spawner that gives up after two seconds, and no warm boxes: what is wrong is felt by the next start."""
    async with in_cluster(tmp_path, OVERLAYS[request.param], start_s=30.0) as made:
        if request.param == SANDBOX:
            made.cluster.objects.remove(POOL)
            pool = {"metadata": {}, "spec": {"replicas": 0, "sandboxTemplateRef": {"name": "runner"}}}
            made.cluster.objects.create(POOL, pool)
        yield made


async def asleep(there: InCluster) -> Box:
    """The user's box, which has been awake before."""
    async with started(there.spawner, id="before") as running:
        pass
    await until(lambda: not there.cluster.all("pods"))
    return running


async def until(so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not so():
            await asyncio.sleep(0.02)


async def refused(there: InCluster, *, within_s: float = GIVE_UP_S) -> tuple[str, Phase]:
    """The code of why a start fails, and the last phase told until then. Nothing is left awake."""
    there.start_within(within_s)
    told: list[Phase] = []
    with pytest.raises(RunnerUnavailable) as error:
        await there.spawner.start(box(id="next"), told.append)
    for one in (*there.cluster.all("sandboxes", CORE), *there.cluster.all("statefulsets", "apps")):
        if one["metadata"].get("annotations", {}).get(BOX):
            sleeps = one["spec"].get("operatingMode") == "Suspended" or one["spec"].get("replicas") == 0
            assert sleeps, "nobody pays for what nobody waits for"
    return error.value.code, told[-1]


def said(there: InCluster, *, sandbox: tuple[str, Phase], set: tuple[str, Phase]) -> tuple[str, Phase]:
    return sandbox if there.cluster.all("sandboxtemplates", EXTENSIONS) else set


NOT_UP = ("box_ends", P.STARTING)  # "does not come up, or ends at once": all that a set lets us say


async def test_no_machine_with_room(hasty: InCluster) -> None:
    await asleep(hasty)
    hasty.cluster.faults.no_room = True
    assert await refused(hasty) == said(hasty, sandbox=("box_no_machine", P.MACHINE), set=NOT_UP)


async def test_an_image_that_cannot_be_fetched(hasty: InCluster) -> None:
    await asleep(hasty)
    hasty.cluster.faults.no_image = True
    assert await refused(hasty) == said(hasty, sandbox=("box_unprepared", P.IMAGE), set=NOT_UP)


async def test_a_disk_that_does_not_come(hasty: InCluster) -> None:
    hasty.cluster.faults.slow_volumes = True
    assert await refused(hasty) == said(hasty, sandbox=("box_no_volume", P.DISK), set=NOT_UP)


async def test_a_program_that_ends_at_once_for_want_of_memory(hasty: InCluster) -> None:
    await asleep(hasty)
    hasty.cluster.faults.dies_at_start = "OOMKilled"
    assert await refused(hasty) == NOT_UP, "neither tells memory from any other end"


async def test_a_quota_that_is_used_up_is_told_while_it_lasts(hasty: InCluster) -> None:
    await asleep(hasty)
    hasty.cluster.quota(pods=0)
    assert await refused(hasty) == said(hasty, sandbox=("box_quota", P.QUOTA), set=("box_unmade", P.UNMADE))


async def test_a_quota_that_gets_room_again_lets_the_start_go_on(hasty: InCluster) -> None:
    await asleep(hasty)
    hasty.cluster.quota(pods=0)
    told: list[Phase] = []
    starting = asyncio.create_task(hasty.spawner.start(box(id="next"), told.append))
    await until(lambda: {P.QUOTA, P.UNMADE} & {*told})
    hasty.cluster.objects.quotas.clear()
    running = box(id="next", **await starting)
    assert await hasty.spawner.poll(running) is Poll.RUNNING
    await hasty.spawner.stop(running)


async def test_a_rule_of_the_cluster_that_refuses_the_pod_is_said_at_once_where_it_can_be(hasty: InCluster) -> None:
    await asleep(hasty)
    hasty.cluster.objects.quotas.append(lambda key, _: "violates PodSecurity" if key.plural == "pods" else "")
    within_s = PATIENCE_S if hasty.cluster.all("sandboxtemplates", EXTENSIONS) else GIVE_UP_S
    code, phase = await refused(hasty, within_s=within_s)
    if hasty.cluster.all("sandboxtemplates", EXTENSIONS):
        assert code == "box_refused"
    else:
        assert (code, phase) == ("box_unmade", P.UNMADE)


async def test_a_node_that_is_lost_keeps_the_next_start_waiting_and_that_is_said(hasty: InCluster) -> None:
    async with started(hasty.spawner) as running:
        [pod] = hasty.cluster.all("pods")
        hasty.cluster.lose_node(pod["metadata"]["name"])
        assert await refused(hasty) == ("box_lingers", P.ENDING)
        assert await hasty.spawner.poll(running) is Poll.GONE, "another box was wanted: this one is given up"
        hasty.cluster.faults.lost.clear()


async def test_an_evicted_box_comes_back_with_its_files(hasty: InCluster) -> None:
    async with started(hasty.spawner) as running:
        await hasty.write(running, "kept")
        [pod] = hasty.cluster.all("pods")
        hasty.cluster.evict(pod["metadata"]["name"])
    await until(lambda: not hasty.cluster.all("pods"))
    async with started(hasty.spawner, id="next") as again:
        assert await hasty.read(again) == "kept"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Unschedulable: 0/5 nodes are available: 5 node(s) had volume node affinity conflict.", "box_no_volume"),
        ("Unschedulable: 0/5 nodes: 2 Insufficient cpu, 3 node(s) had volume node affinity conflict", "box_no_machine"),
        ('Unschedulable: persistentvolumeclaim "home-x" not found', "box_no_volume"),
        ('Error seen: pods "x" is forbidden: exceeded quota: boxes, requested: pods=1', "box_quota"),
        ('Error seen: admission webhook "w" denied the request: no', "box_refused"),
        ("Pod has not reported a PodScheduled condition yet", ""),
        ("Pod exists with phase: Pending", ""),
    ],
)
def test_what_the_clusters_words_mean(words: str, code: str) -> None:
    assert code_of(words) == code
