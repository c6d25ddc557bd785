"""Bombs thrown by an agent's own Bash (SECURITY.md R1-R4): they stay small, others notice nothing, stop ends them."""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from core.spawner import cgroup
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen, kinds
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S

MB = 1024**2
BOUNDS = {
    "OMA_BOX_MEMORY_MB": "700",  # the CLI and the runner have 400 of it
    "OMA_BOX_PIDS": "128",
    "OMA_BOX_CPUS": "1.5",
    "OMA_BOX_DISK_MB": "48",
    "OMA_BOX_FILES": "4000",
}
P95_S = 0.3
GONE_S = 2.0
PAGES, LOOK_S = 40, 7.0  # fetched while a bomb goes off; a shell that cannot fork gives up after 30 s
TRIES = 3  # what other tests do to this machine passes, what a bomb does to us does not

REST = "sleep 100"  # no bomb: what pages and a stop take here and now
FORK = "f() { sleep 61.5 & f; }; f; f; f; sleep 100"
MEMORY = '/opt/venv/bin/python -c "import os; b = [];\nwhile True: b.append(os.urandom(1<<20) * 8)"; sleep 100'
SPIN = "for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; sleep 100"
LOG = "head -c 1T /dev/zero > /proc/1/fd/1; head -c 1T /dev/zero > /proc/1/fd/2; sleep 100"
FULL = "for n in $(seq 40); do head -c 16M /dev/zero > big$n; sleep 1; done; sleep 100"
FILES = "mkdir -p many; for n in $(seq 1 40000); do : > many/$n; done; sleep 100"
SPARSE = "truncate -s 1T sparse; echo status $?; head -c 100M /dev/zero > one; echo status $?"


@pytest.fixture
def writable() -> None:
    if {tree for place in cgroup.find() for tree in place.controllers} != {"memory", "pids", "cpu"}:
        pytest.skip("no control groups to be written here")


@pytest.mark.bombs
@pytest.mark.proof
@pytest.mark.usefixtures("writable")
async def test_bombs_stay_in_their_box_others_get_their_pages_and_a_stop_is_the_end_of_them(
    start: Start, visit: Visit, model: ModelServer
) -> None:
    product = await start(model_url=model.url, **BOUNDS)
    product.allow(r"oma\.runners: the home of")
    me = await visit(product)
    await me.sign_in()
    await me.new_agent()
    await me.say("TOOL(((curl --version)))")
    await me.get("allow").click()
    await me.until_turns(1)
    group, cookies = pids_group(), await here(me)
    async with thrown(me, "rest", REST):
        calm_s, usual_s = await pages(product.url, cookies), await stopped(me, group)
    found = {"rest": f"p95 {calm_s * 1000:.0f} ms, gone in {usual_s:.2f} s"}
    for name, bomb in {"fork": FORK, "memory": MEMORY, "spin": SPIN, "log": LOG}.items():
        async with thrown(me, name, bomb):
            slowest_s = await best(product.url, cookies, calm_s)
            processes = int((group / "pids.current").read_text())
            gone_s = await stopped(me, group)
        found[name] = f"p95 {slowest_s * 1000:.0f} ms, {processes} processes, gone in {gone_s:.2f} s"
        assert slowest_s < P95_S + calm_s, found
        assert processes <= 128, found
        assert gone_s < GONE_S + usual_s, found
    print(found)
    log = sum(path.stat().st_size for path in (product.data_dir / "logs").glob("runner-*.log"))
    assert log < 20 * MB
    for name, bomb in {"disk": FULL, "inodes": FILES}.items():
        async with thrown(me, name, bomb):
            turns = len(kinds(await me.events(), "turn_finished"))
            slowest_s = await best(product.url, cookies, calm_s)
            events = await me.until_turns(turns + 1)
        end = kinds(events, "turn_finished")[-1]
        print(name, f"p95 {slowest_s * 1000:.0f} ms", end["reason"], f"{used(product.data_dir) / MB:.0f} MB")
        assert (end["outcome"], end["reason"]) == ("interrupted", "disk_full")
        assert slowest_s < P95_S + calm_s
        assert used(product.data_dir) < 40 * 16 * MB / 2, "it was told, and went on"


@asynccontextmanager
async def thrown(me: Screen, name: str, bomb: str) -> AsyncIterator[None]:
    """The agent has begun to run it."""
    (folder,) = (me.product.data_dir / "homes").glob("*/agents/*")
    (folder / f"{name}.sh").write_text(bomb)
    turns = len(kinds(await me.events(), "turn_finished"))
    await me.say("N=1")  # the CLI tells the end of a turn that was stopped along with the next message
    await me.until_turns(turns + 1)
    began = len(kinds(await me.events(), "answered"))
    await me.say(f"TOOL(((bash {name}.sh)))")
    await me.get("allow").click()
    async with asyncio.timeout(PATIENCE_S):
        while len(kinds(await me.events(), "answered")) == began:
            await asyncio.sleep(0.05)
    yield


async def here(me: Screen) -> dict[str, str]:
    """The cookies of somebody who is signed in."""
    return {str(one.get("name")): str(one.get("value")) for one in await me.page.context.cookies()}


async def best(url: str, cookies: dict[str, str], calm_s: float) -> float:
    """Return the wait of a person while this bomb goes off. A long wait is measured again, because the machine may be
    slow.
    """
    took = [await pages(url, cookies)]
    while took[-1] >= P95_S + calm_s and len(took) < TRIES:
        took.append(await pages(url, cookies))
    return min(took)


async def pages(url: str, cookies: dict[str, str]) -> float:
    """Return the longest wait of 95 of 100 people who open their dashboard over the next seconds."""
    took = []
    async with aiohttp.ClientSession(cookies=cookies) as client:
        end = time.monotonic() + LOOK_S
        while len(took) < PAGES and (time.monotonic() < end or len(took) < 3):
            began = time.monotonic()
            async with client.get(f"{url}/dashboard", allow_redirects=False) as answer:
                await answer.read()
            assert answer.status == 200, "a refusal is quick and says nothing"
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
    return statistics.quantiles(took, n=20)[-1]


async def stopped(me: Screen, group: Path) -> float:
    """Press stop; the seconds until nothing is left of what the agent ran."""
    turns = len(kinds(await me.events(), "user_said"))
    began = time.monotonic()
    if await me.get("stop").is_visible():  # a bomb that took the CLI along has ended its turn by itself
        await me.get("stop").click()
    await me.until_turns(turns)
    await calm(group)
    return time.monotonic() - began


def pids_group() -> Path:
    """The group of the one box there is."""
    trees = [tree for tree in cgroup.find() if "pids" in tree.controllers]
    (group,) = [path.parent for path in trees[0].home.glob("oma-*/*/pids.current") if mine(path)]
    return group


def mine(path: Path) -> bool:
    return int((path.parent / "pids.max").read_text()) == 128 and os.getuid() == path.stat().st_uid


async def calm(group: Path) -> None:
    """Only the runner, the CLI and what that always has are left."""
    async with asyncio.timeout(PATIENCE_S):
        while len((group / "cgroup.procs").read_text().split()) > 3:
            await asyncio.sleep(0.02)


def used(data: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in (data / "homes").rglob("*"))
