"""Boxes on Kubernetes beyond the contract: what goes wrong in a cluster, and what a person is told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from core.domain.errors import PlatformError, RunnerUnavailable
from core.domain.records import Box, UserId
from core.spawner import Phase, Poll
from core.spawner.kubernetes_api import ClusterUnreachable
from core.spawner.kubernetes_view import BOX, USER, name_of
from tests.contract.places import InCluster, in_cluster
from tests.core.spawner.boxes import box, started
from tests.kube.controllers import CORE, EXTENSIONS
from tests.kube.objects import Key, Object

PATIENCE_S = 60.0


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[InCluster]:
    async with in_cluster(tmp_path, "production") as made:
        yield made


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[InCluster]:
    """A spawner that gives up after two seconds."""
    async with in_cluster(tmp_path, "production", start_s=2.0) as made:
        await until(lambda: len(ready(made)) == 2)
        yield made


async def until(so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not so():
            await asyncio.sleep(0.02)


def sandbox(there: InCluster, running: Box) -> Object:
    return there.cluster.objects.get(Key(CORE, "sandboxes", "agents", running.spawner_state["object"]))


def ready(there: InCluster) -> list[Object]:
    found = there.cluster.all("sandboxes", CORE)
    return [one for one in found if one.get("status", {}).get("conditions", [{}])[-1].get("status") == "True"]


async def asleep(there: InCluster, user: str = "local-owner") -> Box:
    """The user's box, which has been awake before: only such a one has to wait for what a pod needs."""
    async with started(there.spawner, user=user, id="before") as running:
        pass
    await until(lambda: running.spawner_state["object"] not in pods(there))
    return running


def pods(there: InCluster) -> set[str]:
    return {one["metadata"]["name"] for one in there.cluster.all("pods")}


async def refused(there: InCluster, *, user: str = "local-owner") -> tuple[str, list[Phase]]:
    """The code of why a start fails, and the phases told until then. Nothing is left running."""
    told: list[Phase] = []
    with pytest.raises(RunnerUnavailable) as error:
        await there.spawner.start(box(user), told.append)
    for one in there.cluster.all("sandboxes", CORE):
        if one["metadata"].get("annotations", {}).get(BOX):
            assert one["spec"]["operatingMode"] == "Suspended", "nobody pays for what nobody waits for"
    return error.value.code, told


async def test_a_warm_box_is_there_at_once_and_is_written_down_as_this_ones(there: InCluster) -> None:
    await until(lambda: len(ready(there)) == 2)
    spare = {one["metadata"]["name"] for one in ready(there)}
    async with started(there.spawner, user="google-1", id="b7") as running:
        assert running.spawner_state["object"] in spare
        assert sandbox(there, running)["metadata"]["annotations"][BOX] == "b7"
        [claim] = there.cluster.all("sandboxclaims", EXTENSIONS)
        assert claim["metadata"]["annotations"][USER] == "google-1"
        assert claim["spec"] == {"warmPoolRef": {"name": "runners"}}, "anything more would start cold"


@pytest.mark.parametrize("user", ["", ".", "../../etc", "a/b", "사용자", "x" * 5000, "A_b-C"])
def test_every_user_id_has_a_name_of_its_own_that_kubernetes_takes(user: str) -> None:
    name = name_of(UserId(user))
    assert len(name) <= 46, "a StatefulSet's pod has to fit its name and a hash into 63"
    assert name.isascii()
    assert name.replace("-", "").isalnum()
    assert name == name.lower()
    assert name != name_of(UserId(user + "x"))


async def test_a_user_with_an_odd_name_gets_a_box(there: InCluster) -> None:
    async with started(there.spawner, user="google-../../" + "x" * 300) as running:
        assert await there.spawner.poll(running) is Poll.RUNNING


async def test_two_pods_never_serve_one_box_when_it_wakes_while_its_last_pod_is_ending(there: InCluster) -> None:
    async with started(there.spawner, id="old") as old:
        there.cluster.faults.lingers = True
        await there.spawner.stop(old)
        starting = asyncio.create_task(there.spawner.start(box(id="new")))
        done, _ = await asyncio.wait({starting}, timeout=1.0)
        there.cluster.faults.lingers = False
        new = box(id="new", **await starting)
        assert new.spawner_state["object"] == old.spawner_state["object"]
        assert new.spawner_state["address"] != old.spawner_state["address"], "not the pod that is ending"
        assert not done
        assert await there.read(new) == ""
        await there.spawner.stop(new)


async def test_a_process_that_served_an_earlier_box_is_never_given_to_the_next(there: InCluster) -> None:
    async with started(there.spawner, id="lost") as lost:  # its web died before it could stop it
        uid = there.cluster.pod_of(lost.spawner_state["object"])["metadata"]["uid"]
        async with started(there.spawner, id="next") as running:
            assert there.cluster.pod_of(running.spawner_state["object"])["metadata"]["uid"] != uid
            assert await there.spawner.poll(lost) is Poll.GONE


async def test_a_drained_box_is_gone_though_another_pod_is_in_its_place(there: InCluster) -> None:
    async with started(there.spawner) as running:
        await there.write(running, "kept")
        there.cluster.drain(running.spawner_state["object"])
        await until(lambda: sandbox(there, running)["status"]["podIPs"] not in ([], [running.spawner_state["address"]]))
        assert await there.spawner.poll(running) is Poll.GONE
        async with started(there.spawner, id="next") as again:
            assert await there.read(again) == "kept"


async def test_an_evicted_box_is_gone_and_comes_back_on_another_pod(there: InCluster) -> None:
    async with started(there.spawner) as running:
        await there.write(running, "kept")
        there.cluster.evict(running.spawner_state["object"])
        await until(lambda: "Finished" in {one["type"] for one in sandbox(there, running)["status"]["conditions"]})
        assert await there.spawner.poll(running) is Poll.GONE
        async with started(there.spawner, id="next") as again:
            assert await there.read(again) == "kept"


async def test_a_box_whose_node_is_lost_is_not_given_up_by_us(there: InCluster) -> None:
    async with started(there.spawner) as running:
        there.cluster.lose_node(running.spawner_state["object"])
        await until(lambda: not any(one["metadata"]["name"] == running.spawner_state["object"] for one in ready(there)))
        assert await there.spawner.poll(running) is Poll.RUNNING, "it may live: liveness.py notices silence"
        there.cluster.faults.lost.clear()


async def test_a_box_whose_claim_was_deleted_is_gone(there: InCluster) -> None:
    async with started(there.spawner) as running:
        there.cluster.objects.delete(Key(EXTENSIONS, "sandboxclaims", "agents", name_of(running.user)))
        assert await there.spawner.poll(running) is Poll.GONE
        await there.spawner.stop(running)


async def test_while_the_api_server_is_away_no_box_is_given_up(there: InCluster) -> None:
    async with started(there.spawner) as running:
        await there.cluster.close_api()
        try:
            assert await there.spawner.poll(running) is Poll.RUNNING
            with pytest.raises(ClusterUnreachable):
                await there.spawner.stop(running)
            assert await there.read(running) == "", "and it goes on"
        finally:
            await there.cluster.open_api()
        assert await there.spawner.poll(running) is Poll.RUNNING


async def test_a_start_outlives_cut_watches_and_a_restart_of_the_api_server(
    there: InCluster,
) -> None:
    await asleep(there)
    there.cluster.faults.no_room = True
    phases: asyncio.Queue[Phase] = asyncio.Queue()
    starting = asyncio.create_task(there.spawner.start(box(id="b2"), phases.put_nowait))
    while await phases.get() is not Phase.MACHINE:
        continue
    there.cluster.api.cut()
    there.cluster.objects.forget_history()
    await asyncio.sleep(0)
    await there.cluster.close_api()
    await there.cluster.open_api()
    there.cluster.faults.no_room = False
    running = box(id="b2", **await starting)
    assert await there.spawner.poll(running) is Poll.RUNNING
    await there.spawner.stop(running)


async def test_a_quota_on_claims_and_a_right_that_is_missing_are_said_at_once(hasty: InCluster) -> None:
    hasty.cluster.objects.quotas.append(lambda key, _: "exceeded quota: boxes" if key.plural == "sandboxclaims" else "")
    assert (await refused(hasty))[0] == "box_quota"
    hasty.cluster.api.rights.rules.clear()
    assert (await refused(hasty))[0] == "box_forbidden"


async def test_a_pool_that_is_not_there_is_the_operators_to_mend(hasty: InCluster) -> None:
    hasty.cluster.objects.remove(Key(EXTENSIONS, "sandboxwarmpools", "agents", "runners"))
    assert (await refused(hasty))[0] == "box_refused"


async def test_a_template_that_is_not_there_is_the_operators_to_mend(hasty: InCluster) -> None:
    hasty.cluster.objects.remove(Key(EXTENSIONS, "sandboxtemplates", "agents", "runner"))
    assert (await refused(hasty))[0] == "box_refused"


async def test_the_walls_are_told_as_the_template_has_them(there: InCluster, tmp_path: Path) -> None:
    await until(lambda: ready(there))
    await there.spawner.refresh()
    isolation = there.spawner.isolation()
    assert (isolation.name, isolation.missing) == ("kubernetes", ())
    assert all(layer.live for layer in isolation.layers)
    async with in_cluster(tmp_path / "plain", "minimal") as plain:
        before = plain.spawner.isolation()
        assert [layer.why for layer in before.layers if not layer.live] == ["not_seen"]
        async with started(plain.spawner):
            after = plain.spawner.isolation()
            assert [layer.why for layer in after.layers if not layer.live] == ["no_gvisor"]
            assert after.missing


async def test_a_statefulsets_pod_is_the_clusters_template_and_nothing_else(tmp_path: Path) -> None:
    async with in_cluster(tmp_path, "minimal") as there, started(there.spawner) as running:
        [made] = there.cluster.all("statefulsets", "apps")
        template = there.cluster.all("podtemplates")[0]["template"]
        assert made["spec"]["template"]["spec"] == template["spec"], "tests/k8s/test_boxes.py looks at that"
        assert set(template["metadata"]["labels"].items()) <= set(
            made["spec"]["template"]["metadata"]["labels"].items()
        )
        [claim] = made["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] in {
            mount["name"] for mount in template["spec"]["containers"][0]["volumeMounts"]
        }
        assert made["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"
        assert there.spawner.endpoint(running).url == f"http://{name_of(running.user)}-0.runners.agents.svc:8080"


async def test_a_warm_box_of_an_older_image_is_not_given_to_anybody(there: InCluster) -> None:
    await until(lambda: len(ready(there)) == 2)
    new_image(there)
    async with started(there.spawner, id="first") as running:
        assert image_of(there, running) == "new"


@pytest.mark.parametrize("overlay", ["production", "minimal"])
async def test_a_new_template_reaches_whoever_sleeps_at_their_next_wake(tmp_path: Path, overlay: str) -> None:
    async with in_cluster(tmp_path, overlay) as there:
        for key, found, pod in templates(there):
            pod["tolerations"] = [{"key": "old", "operator": "Exists"}]
            there.cluster.objects.replace(key, found)
        async with started(there.spawner, id="before") as running:
            old, uid = image_of(there, running), pod_of(there, running)["metadata"]["uid"]
            new_image(there)
            assert await there.spawner.poll(running) is Poll.RUNNING
            assert pod_of(there, running)["metadata"]["uid"] == uid, "who is awake goes on"
        async with started(there.spawner, id="after") as running:
            assert image_of(there, running) == "new" != old
            assert "tolerations" not in pod_of(there, running)["spec"], "what the template has no more is gone"


def new_image(there: InCluster) -> None:
    """A deploy."""
    for key, found, pod in templates(there):
        pod["containers"][0]["image"] = "new"
        pod.pop("tolerations", None)
        there.cluster.objects.replace(key, found)


def templates(there: InCluster) -> Iterator[tuple[Key, Object, Object]]:
    """Key, object and pod of what boxes are made of."""
    for group, plural in ((EXTENSIONS, "sandboxtemplates"), ("", "podtemplates")):
        for key, found in there.cluster.objects.find(group, plural):
            yield key, found, (found.get("template") or found["spec"]["podTemplate"])["spec"]


def pod_of(there: InCluster, running: Box) -> Object:
    return there.cluster.pod_of(running.spawner_state["pod"])


def image_of(there: InCluster, running: Box) -> str:
    return str(pod_of(there, running)["spec"]["containers"][0]["image"])


async def test_nothing_is_asked_that_the_role_does_not_allow(there: InCluster) -> None:
    async with started(there.spawner) as running:
        await there.spawner.poll(running)
    await there.spawner.forget(running.user)
    assert {resource for _, resource in there.cluster.api.asked} == {"sandboxclaims", "sandboxes", "sandboxtemplates"}


async def test_a_user_of_whom_nothing_is_there_may_be_forgotten(there: InCluster) -> None:
    await there.spawner.forget(UserId("nobody"))
    with pytest.raises(PlatformError):
        there.cluster.api.rights.rules.clear()
        await there.spawner.forget(UserId("nobody"))
