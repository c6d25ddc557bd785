"""Files are pasted, dropped and chosen in the composer, and stand in the transcript after a reload."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, Route, expect

from tests.core.runner.test_attachments import png
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S

GIVE = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const box = document.querySelector("[data-testid=composer]");
  const how = { clipboardData: transfer, dataTransfer: transfer, bubbles: true, cancelable: true };
  const made = kind === "paste" ? new ClipboardEvent("paste", how) : new DragEvent("drop", how);
  box.dispatchEvent(made);
}"""


async def give(page: Page, kind: str, name: str, type: str, data: bytes) -> None:
    await page.evaluate(GIVE, [kind, name, type, base64.b64encode(data).decode()])


def slow_at_first(page: Page, name: str) -> Callable[[Route], Awaitable[None]]:
    """The first request goes on only when the file of this name, which is chosen last, has been sent."""
    sent, seen = asyncio.Event(), list[Route]()
    page.on("response", lambda answer: sent.set() if answer.url.endswith(f"/uploads/{name}") else None)

    async def handle(route: Route) -> None:
        seen.append(route)
        if len(seen) == 1:
            await asyncio.wait_for(sent.wait(), PATIENCE_S)
        await route.continue_()

    return handle


async def test_what_is_pasted_dropped_and_chosen_reaches_the_model(me: Screen, model: ModelServer) -> None:
    me.allow(r"409")  # a name that is taken: the next one is tried
    picture = png(20, 20)
    mine = me.get("attachment")
    await me.page.route("**/uploads/image.png", slow_at_first(me.page, "notes.txt"))
    await give(me.page, "paste", "image.png", "image/png", picture)
    await give(me.page, "drop", "image.png", "image/png", picture)
    await me.get("attach-input").set_input_files(
        [
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"},
            {"name": "no.bin", "mimeType": "application/octet-stream", "buffer": b"x"},
        ]
    )
    await expect(mine.and_(me.page.locator("[data-state=done]"))).to_have_count(4)
    await expect(mine.first.locator("img")).to_be_visible()
    await judge(me, "composer with attachments")
    await me.page.get_by_role("button", name="Remove no.bin").click()
    await expect(mine).to_have_count(3)
    await me.reload()
    await expect(mine).to_have_count(3)
    await me.get("composer").fill("look at these")
    await me.get("send").click()
    said = me.get("message").and_(me.page.locator("[data-role=user]"))
    await expect(said).to_have_attribute("data-seq", re.compile(r"^\d+$"))
    await me.until_turns(1)
    sent = json.dumps(model.turns[0].body["messages"], ensure_ascii=False)
    assert sent.count(base64.b64encode(picture).decode()) == 2
    for path in ("uploads/image.png", "uploads/image-2.png", "uploads/notes.txt"):
        assert f"[Attached file: {path}]" in sent
    await me.reload()
    await expect(said.get_by_test_id("attachment")).to_have_text(["image.png", "image-2.png", "notes.txt"])
    await give(me.page, "paste", "wide.png", "image/png", png(8001, 1))
    await me.send("too wide")
    await expect(me.page.get_by_text("The picture is too large for the model")).to_be_visible()
    await me.page.get_by_role("button", name="Edit").last.click()
    await expect(me.get("composer")).to_have_value("too wide")
    await expect(mine.last).to_have_attribute("data-state", "done")
