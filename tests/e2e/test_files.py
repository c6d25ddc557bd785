"""The panel with the real CLI: the tree follows the agent, files are shown, edited and uploaded, changes reverted."""

import re
from pathlib import Path

from playwright.async_api import Locator, expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import PHONE, Screen
from tests.e2e.test_pages import judge
from tests.product import Product

WIDE = {"width": 1920, "height": 1000}
PAGE = (
    b"<h1 id=h>Report</h1><script>parent.document.title='evil';document.body.innerHTML='evil'</script><img src=/inbox>"
)


def row(me: Screen, path: str) -> Locator:
    return me.page.locator(f"[data-testid=file-row][data-path='{path}']")


def change(me: Screen, path: str) -> Locator:
    return me.page.locator(f"[data-testid=change][data-path='{path}']")


async def written(me: Screen, path: str, data: bytes) -> None:
    """Put a file into the agent's folder by the public API."""
    door = f"{me.product.url}/api/v1/agents/{me.agent}/files/{path}"
    answer = await me.page.request.put(door, data=data, headers={"origin": me.product.url})
    assert answer.ok, await answer.text()


async def read(me: Screen, path: str) -> str:
    answer = await me.page.request.get(f"{me.product.url}/api/v1/agents/{me.agent}/files/{path}")
    return await answer.text() if answer.ok else str(answer.status)


async def test_the_tree_follows_the_agent_and_files_are_shown_edited_uploaded_and_taken_back(
    product: Product, visit: Visit, tmp_path: Path
) -> None:
    me = await visit(product, locale="en-US")
    await me.sign_in()
    await me.new_agent()
    await me.get("panel-toggle").click()
    await expect(me.get("panel")).to_have_attribute("data-tab", "files")
    await me.say(
        "WRITE(((out/table.csv)))(((name,open\nkim,2\n)))WRITE(((a.py)))(((def f():\n    return 1\n)))"
        "WRITE(((CLAUDE.md)))(((# Rules\n)))SAY(((Look at [the code](a.py).)))"
    )
    await expect(row(me, "a.py")).to_contain_text("new")  # without a reload
    await judge(me, "files, tree")
    await me.reload()
    await expect(row(me, "a.py")).to_be_visible()  # the panel is open as it was
    await _look_at_every_kind(me)
    await _edit_against_the_agent(me)
    await _upload_rename_and_delete(me, tmp_path)
    await _take_changes_back(me)
    await _on_a_phone(me)


async def _look_at_every_kind(me: Screen) -> None:
    await written(me, "page.html", PAGE)
    await written(
        me, "p.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>"
    )
    await written(me, "x.pdf", b"%PDF-1.7 \0")
    await me.reload()
    me.allow("Blocked script execution", "Content Security Policy", "violates the following")
    await row(me, "CLAUDE.md").click()
    await expect(me.get("viewer").get_by_role("heading", name="Rules")).to_be_visible()
    await judge(me, "files, Markdown")
    await row(me, "page.html").click()
    frame = me.page.frame_locator("[data-testid=frame]")
    await expect(frame.locator("#h")).to_have_text("Report")
    assert "evil" not in await me.page.title()
    await row(me, "p.svg").click()
    await expect(me.get("viewer").locator("img")).to_have_js_property("naturalWidth", 9)
    await row(me, "x.pdf").click()
    await expect(me.get("viewer")).to_contain_text("cannot be shown here")
    await row(me, "out").click()
    await row(me, "out/table.csv").click()
    await expect(me.get("viewer").locator("td")).to_have_text(["kim", "2"])
    await judge(me, "files, table")


async def _edit_against_the_agent(me: Screen) -> None:
    await me.page.locator("code.file").first.click()  # the link in the transcript
    editor = me.get("editor").locator(".cm-content")
    await expect(editor).to_contain_text("def f()")
    await expect(editor).to_have_attribute("aria-label", "Editor of a.py")
    await editor.click()
    await me.page.keyboard.press("Control+End")
    await me.page.keyboard.type("# mine")
    await me.page.keyboard.press("Control+s")
    await expect(me.get("file-note")).to_have_text("Saved")
    assert (await read(me, "a.py")).endswith("# mine")
    await me.page.keyboard.type(" again")
    await expect(me.get("save")).to_be_visible()
    await me.say("TOOL(((printf theirs > a.py)))SAY(((changed)))")
    await me.get("allow").click()
    await expect(me.get("conflict")).to_contain_text("The agent changed this file")
    await expect(me.get("conflict").locator(".diff")).to_contain_text("theirs")
    await judge(me, "files, conflict")
    assert await read(me, "a.py") == "theirs"
    await me.get("keep-mine").click()
    await expect(me.get("conflict")).to_be_hidden()
    assert (await read(me, "a.py")).endswith("# mine again")
    await me.get("close-file").click()
    await expect(me.get("viewer")).to_be_hidden()


async def _upload_rename_and_delete(me: Screen, tmp_path: Path) -> None:
    (tmp_path / "up/deep").mkdir(parents=True)
    for name, text in (("up/one.txt", "1"), ("up/deep/two.txt", "2")):
        (tmp_path / name).write_text(text)
    await me.get("upload-folder").set_input_files(tmp_path / "up")
    await expect(me.get("upload").and_(me.page.locator("[data-state=done]"))).to_have_count(2)
    await judge(me, "files, uploads")
    assert await read(me, "up/deep/two.txt") == "2"
    me.allow("409 \\(Conflict\\)", "404 \\(Not Found\\)")
    await written(me, "one.txt", b"old")
    await me.get("upload-input").set_input_files(tmp_path / "up/one.txt")
    await me.get("upload").get_by_role("button", name="Replace").click()
    await expect(me.get("upload").and_(me.page.locator("[data-state=done]"))).to_have_count(3)
    assert await read(me, "one.txt") == "1"
    await row(me, "one.txt").click(button="right")
    await me.get("file-menu").get_by_role("button", name="Rename").click()
    await me.get("rename-file").fill("renamed.txt")
    await me.get("rename-file").press("Enter")
    await row(me, "renamed.txt").press("Delete")
    await expect(row(me, "renamed.txt").and_(me.page.locator(".file:not(.gone)"))).to_have_count(0)
    await me.page.get_by_role("button", name="Undo").click()
    await expect(row(me, "renamed.txt")).to_be_visible()
    await me.get("new-file").click()
    await me.get("new-name").fill("notes/idea.md")
    await me.get("new-name").press("Enter")
    await expect(row(me, "notes/idea.md")).to_have_attribute("aria-selected", "true")
    await me.get("close-file").click()


async def _take_changes_back(me: Screen) -> None:
    await me.page.get_by_role("tab", name=re.compile("Changes")).click()
    await me.get("since-turn").click()
    await expect(change(me, "CLAUDE.md")).to_have_count(0)
    await me.get("since-session").click()
    await expect(change(me, "CLAUDE.md")).to_contain_text("new")
    await change(me, "CLAUDE.md").locator(".change-name").click()
    await expect(change(me, "CLAUDE.md").locator(".add")).to_contain_text("# Rules")
    await judge(me, "changes")
    await change(me, "CLAUDE.md").get_by_test_id("revert").click()
    await expect(change(me, "CLAUDE.md")).to_have_count(0)
    assert await read(me, "CLAUDE.md") == "404"
    await me.page.get_by_role("button", name="Undo").click()
    await expect(change(me, "CLAUDE.md")).to_have_count(1)
    assert await read(me, "CLAUDE.md") == "# Rules\n"


async def _on_a_phone(me: Screen) -> None:
    await me.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await me.reload()
    await expect(me.get("panel")).to_be_hidden()  # it would lie over the transcript
    await me.get("panel-toggle").click()
    await me.page.get_by_role("tab", name="Files").click()
    await expect(row(me, "a.py")).to_be_visible()
    await judge(me, "files on a phone")
    await row(me, "a.py").click()
    await expect(me.get("editor")).to_be_visible()
    await judge(me, "editor on a phone")
    await me.get("panel-close").click()
    await expect(me.get("composer")).to_be_visible()
    await me.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    await me.get("panel-toggle").click()
    await me.get("panel-wide").click()
    await judge(me, "files, wide")
