"""The terminal of the workspace, by hand: a shell in the real box, found again after a reload and on another device."""

import re

from playwright.async_api import Locator, expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.product import Product


async def test_a_terminal_runs_in_the_box_and_is_found_again(product: Product, visit: Visit) -> None:
    screen = await visit(product, locale="ko-KR")
    await screen.sign_in()
    await screen.new_agent()
    await open_terminal(screen)
    await type_line(screen, "pwd; echo one-$((1+1)) > note.txt; cat note.txt")
    await expect(rows(screen)).to_contain_text(re.compile(rf"agents/{screen.agent}.*one-2", re.DOTALL))
    await judge(screen, "terminal")
    await type_line(screen, "printf '\\033]52;c;aGk=\\007\\033[6n\\033]0;title\\007'; echo tw$((1+1))o")
    await expect(rows(screen)).to_contain_text("tw2o")
    await screen.reload()
    await expect(rows(screen)).to_contain_text("one-2")  # the tab is remembered, and so is the screen
    other = await screen.another_tab()
    await type_line(other, "echo from-the-$((1+1))-tab")
    await expect(rows(screen)).to_contain_text("from-the-2-tab")
    await screen.get("terminal-new").click()
    await expect(rows(screen)).not_to_contain_text("one-2")
    await type_line(screen, "echo 둘째-$((1+1))")
    await expect(rows(screen)).to_contain_text("둘째-2")
    await screen.get("terminal-end").click()
    await screen.get("terminal-end-now").click()
    await expect(screen.get("terminal-again")).to_be_visible()
    await screen.get("terminal-again").click()
    await expect(rows(screen)).not_to_contain_text("둘째-2")
    await type_line(screen, "echo third-$((1+1))")
    await expect(rows(screen)).to_contain_text("third-2")


async def test_where_an_administrator_has_turned_terminals_off_there_is_none(start: Start, visit: Visit) -> None:
    product = await start(OMA_TERMINALS="off")
    screen = await visit(product, locale="en-US")
    await screen.sign_in()
    await screen.new_agent()
    await screen.get("panel-toggle").click()
    await expect(screen.page.get_by_role("tab", name="Files")).to_be_visible()
    await expect(screen.page.get_by_role("tab", name="Terminal")).to_have_count(0)


async def open_terminal(screen: Screen) -> None:
    await screen.get("panel-toggle").click()
    await screen.page.get_by_role("tab", name=re.compile("터미널|Terminal")).click()
    await expect(screen.get("terminal")).to_be_visible()


async def type_line(screen: Screen, line: str) -> None:
    await expect(rows(screen)).to_contain_text("$")
    await screen.get("terminal").click()
    await screen.page.keyboard.type(line)
    await screen.page.keyboard.press("Enter")


def rows(screen: Screen) -> Locator:
    """Return what stands on the terminal's screen."""
    return screen.get("terminal").locator(".xterm-rows")
