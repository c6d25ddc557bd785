"""Hostile text in every place where text of others is shown, in a real browser: it is read, and does nothing.

The same platform is served twice, once full of payloads and once full of harmless text of the same shape: the pages
must be made of the same elements. Model prose, which may have elements of its own, is held to a list of them.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.product import free_port
from tests.timeouts import PATIENCE_S, START_S
from tests.tls import TLS
from tests.xss.corpus import missing, payloads
from tests.xss.looking import Looker, Seen

pytestmark = pytest.mark.xss

PAGES = (
    "agents", "inbox", "settings", "people and audit log", "connections", "titles", "user message", "file name",
    "assistant markdown", "unfinished answer", "thinking", "tool name", "tool input", "unknown tool's input",
    "path and diff", "tool output", "tool error", "error text", "notice", "todos", "decision", "cards",
    "sign-in error", "no such page",
)  # fmt: skip
PROSE = {"assistant markdown", "unfinished answer", "cards"}
# Pages that show a code of their own instead of what they were given.
SILENT = {"sign-in error", "no such page"}
TAGS = {
    *("a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre"),
    *("span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "button"),
}
ATTRIBUTES = {
    "",
    "dir",
    "href",
    "title",
    "target",
    "rel",
    "class",
    "start",
    "data-lang",
    "type",
    "aria-label",
    "aria-hidden",
}
# A file that the model names: ui/transcript/transcript.js makes it open the panel.
FILE_LINK, FILE_LINK_SIGN = [["class", "file"], ["role", "link"], ["tabindex", "0"]], "code[class,role,tabindex]"
# Text in which nothing means anything to Markdown must be read as it was written.
MARKDOWN = (*"*_`[]\\~&|\n", "http:", "https:", "<javascript:", "<data:")


@asynccontextmanager
async def served(kind: str, folder: Path) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """(address, what was seeded) of a front in a process of its own."""
    port = free_port()
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.xss.serve", str(port), str(folder), kind,
        stdout=asyncio.subprocess.PIPE, limit=2**20,
    )  # fmt: skip
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE_S):
            seeded = json.loads(await process.stdout.readline())
            await answers(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", seeded
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 15)


async def answers(base: str) -> None:
    async with httpx2.AsyncClient(verify=TLS, timeout=START_S) as client:
        while True:
            try:
                await client.get(f"{base}/healthz")
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def lookers(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Looker, Looker, dict[str, dict[str, str]]]]:
    folder = tmp_path_factory.mktemp("xss")
    async with AsyncExitStack() as stack:
        both = await asyncio.gather(
            *(stack.enter_async_context(served(kind, folder / kind)) for kind in ("hostile", "harmless"))
        )
        (base, hostile), (plain, harmless) = both
        found = (
            await Looker.start(chromium, base, hostile["cookie"], hostile["last_seq"]),
            await Looker.start(chromium, plain, harmless["cookie"], harmless["last_seq"]),
        )
        yield *found, {"hostile": hostile["pages"], "harmless": harmless["pages"]}
        for looker in found:
            await looker.context.close()


async def visit(looker: Looker, name: str, pages: dict[str, str]) -> Seen:
    """Open the page, press what shows more of it, and look each time."""
    await looker.go(name, pages[name])
    if name == "unfinished answer":  # each payload is a block of its own, and none of them has a number yet
        assert looker.page
        await looker.page.wait_for_function(f"document.querySelectorAll('.items .item').length >= {len(payloads())}")
    seen = await looker.look(Seen())
    page = looker.page
    assert page
    if name == "cards":
        for at, kind in enumerate(("permission", "permission", "permission", "question", "plan")):
            # not the one before it, which stands there until the page hears that it is answered
            await page.locator(f".permission[data-testid={kind}]:not([data-sent])").wait_for(state="attached")
            await looker.look(seen)
            for _ in range(2 if kind == "plan" else 1):  # a plan is sent back with a word
                await press(page.locator(".permission").get_by_test_id("deny"))
            await page.wait_for_function(f"document.querySelector('.transcript').dataset.lastSeq > {5 + at}")
    if name == "titles":
        await press(page.locator("header.head .li.bad"))
        await expect(page.get_by_test_id("confirm-delete")).to_be_visible()
        await looker.look(seen)
        await press(page.get_by_test_id("confirm-delete").locator("button").first)
        await press(page.locator("header.head .li:has(.ic-archive)"))
        await page.locator(".toast").wait_for(state="attached")
        await looker.look(seen)
    return seen


async def press(button: Locator) -> None:
    """Press an element even if something covers it: names of 14,000 characters break the layout."""
    await button.evaluate("(one) => one.click()")


def test_there_are_enough_of_them() -> None:
    assert len(set(payloads())) >= 200 and len(PAGES) >= 12


@pytest.mark.parametrize("name", PAGES)
async def test_every_payload_is_read_and_none_does_anything(
    lookers: tuple[Looker, Looker, dict[str, dict[str, str]]], name: str
) -> None:
    hostile, harmless, pages = lookers
    seen, plain = await asyncio.gather(visit(hostile, name, pages["hostile"]), visit(harmless, name, pages["harmless"]))
    assert not seen.ran, "executed"
    assert not seen.refused, "only the policy stopped it"
    assert not seen.foreign, "another host was asked"
    assert not [line for line in seen.complaints if "404" not in line]
    assert seen.tags == plain.tags, "other elements than in a harmless page"
    assert seen.attributes <= plain.attributes, "other attributes than in a harmless page"
    judge_prose(seen)
    wanted = payloads()
    if name in PROSE - {"cards"}:
        wanted = [one for one in wanted if not any(mark in one for mark in MARKDOWN)]
        assert len(wanted) > 100
    if name not in SILENT:
        assert missing(wanted, seen.text) == []


def judge_prose(seen: Seen) -> None:
    """Only elements, attributes and addresses that say something."""
    for code in seen.acting:
        assert code == FILE_LINK
    assert seen.loose[FILE_LINK_SIGN] == len(seen.acting)
    for sign in seen.loose.keys() - {FILE_LINK_SIGN}:
        tag, _, attributes = sign.rstrip("]").partition("[")
        assert tag in TAGS, sign
        assert set(attributes.split(",")) <= ATTRIBUTES, sign
    for link in seen.links:
        assert link["href"].startswith(("http://", "https://", "mailto:")) or not link["href"], link
        if link["prose"] and link["href"]:
            assert {"noopener", "noreferrer", "nofollow"} <= set(link["rel"].split()), link
            assert link["title"] and link["target"] == "_blank", link
