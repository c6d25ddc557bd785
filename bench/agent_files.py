"""P20: a folder of 10,000 files, a file of 1 MB in the editor, and an upload of 1 GB with the memory it takes."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil

from bench.figures import Figure, figure
from bench.setup import Stage

FILES, LISTS, OPENS = 10_000, 10, 5
MIB = 2**20
UPLOAD_MIB = 1024
PIECE = b"\0" * MIB


async def files(stage: Stage) -> dict[str, Figure]:
    """Milliseconds of the list by the public API, and from the press on a file until its end is in the editor."""
    page = stage.page.page
    agent = urlsplit(page.url).path.rsplit("/", 1)[-1]
    [folder] = [path for path in stage.product.data_dir.rglob(f"agents/{agent}") if path.is_dir()]
    (folder / "many").mkdir()
    for number in range(FILES):
        (folder / "many" / f"{number}.txt").touch()
    (folder / "large.txt").write_text("".join(f"line {number} of a long file\n" for number in range(38_000))[: MIB - 9])
    door = f"{stage.product.url}/api/v1/agents/{agent}/files"
    cookies = {one["name"]: one["value"] for one in await page.context.cookies()}
    async with aiohttp.ClientSession(cookies=cookies, headers={"Origin": stage.product.url}) as http:
        lists = [await _listed(http, f"{door}/many?limit={FILES}") for _ in range(LISTS)]
        upload = await _upload(http, f"{door}/upload.bin", stage)
    opened = [await _opened(stage) for _ in range(OPENS)]
    await page.get_by_test_id("panel-close").click()
    shutil.rmtree(folder / "many")
    (folder / "upload.bin").unlink()
    return {
        "P20_list_10000_files": figure(lists, budget="≤ 200 ms"),
        "P20_open_1_mb_in_editor": figure(opened, budget="≤ 300 ms"),
        **upload,
    }


async def _listed(http: aiohttp.ClientSession, url: str) -> float:
    began = time.perf_counter()
    async with http.get(url) as answer:
        found = await answer.json()
    assert len(found["entries"]) == FILES
    return (time.perf_counter() - began) * 1000


async def _opened(stage: Stage) -> float:
    page = stage.page.page
    await page.goto(page.url)
    if not await page.get_by_test_id("file-tree").is_visible():
        await page.get_by_test_id("panel-toggle").click()
    row = page.locator("[data-path='large.txt']")
    await row.wait_for()
    began = time.perf_counter()
    await row.click()
    await page.locator(".cm-content", has_text="line 1 of").wait_for()
    return (time.perf_counter() - began) * 1000


async def _upload(http: aiohttp.ClientSession, url: str, stage: Stage) -> dict[str, Figure]:
    """One upload: how fast, against `cp` of the same size on the same disk, and how much more memory it took."""
    watched = [*stage.product.processes("web"), *stage.product.processes("runner")]
    before, most = _memory(watched), [0.0]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], _memory(watched) - before)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    async with http.put(url, data=_pieces()) as answer:
        assert answer.status == 200, await answer.text()
    took = time.perf_counter() - began
    watching.cancel()
    copied = await asyncio.to_thread(_copy, stage.root)
    return {
        "P20_upload_1_gb": figure(
            [UPLOAD_MIB / took], unit="MiB/s", cp=round(UPLOAD_MIB / copied, 1), budget="≥ cp / 2"
        ),
        "P20_upload_1_gb_memory": figure([most[0]], unit="MiB", budget="≤ 32 MiB more"),
    }


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(UPLOAD_MIB):
        yield PIECE


def _copy(root: Path) -> float:
    """Seconds that `cp` takes, as shutil does it."""
    source = root / "cp-source"
    with source.open("wb") as file:
        for _ in range(UPLOAD_MIB):
            file.write(PIECE)
    began = time.perf_counter()
    shutil.copyfile(source, root / "cp-target")
    took = time.perf_counter() - began
    source.unlink()
    (root / "cp-target").unlink()
    return took


def _memory(processes: list[psutil.Process]) -> float:
    return float(sum(process.memory_info().rss for process in processes)) / MIB
