"""`make pictures`: the pictures of the README, taken from the real product with the practice model.

Nothing in them is drawn by hand: the product is started in folders of its own, an agent is built, and Chromium takes
the screenshots. They go to docs/pictures/.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright, expect

from tests import browser
from tests.e2e.screen import Screen
from tests.e2e.test_practice import ANSWER, WISH, allow_all, answer_the_builder
from tests.product import Product

TO = Path(__file__).resolve().parents[2] / "docs" / "pictures"
LOCALE = "en-US"


async def main(folder: Path) -> None:
    """Write every picture into `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="oma-pictures-") as root:
        async with Product(Path(root) / "product") as product, async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
            async with Screen.open(chromium, product, locale=LOCALE) as screen:
                await walk(screen, folder)
            await chromium.close()


async def walk(screen: Screen, folder: Path) -> None:
    """Build one agent, as the README says it is done."""
    await screen.sign_in()
    await picture(screen, folder / "start.png")
    await screen.new_agent()
    await screen.say(WISH[LOCALE])
    await answer_the_builder(screen, ANSWER[LOCALE])
    await expect(screen.permission.first).to_be_visible()
    await screen.until_state("asking")
    await picture(screen, folder / "permission.png")
    await allow_all(screen)
    agent = screen.agent
    await screen.get("panel-toggle").click()
    await screen.page.get_by_role("tab", name="Changes").click()
    await expect(screen.page.get_by_text("CLAUDE.md").last).to_be_visible()
    await picture(screen, folder / "panel.png")
    await screen.page.goto(screen.product.url + "/dashboard")
    await expect(screen.get("agent-card").first).to_be_visible()
    await picture(screen, folder / "dashboard.png")
    await operate(screen, folder, agent)


async def operate(screen: Screen, folder: Path, agent: str) -> None:
    """Give the agent a schedule, run it twice, and look at the day."""
    await screen.page.goto(f"{screen.product.url}/agents/{agent}/operate")
    await screen.page.wait_for_function("window.did_handshake === true")
    await screen.get("schedule-new").click()
    await screen.get("schedule-when").fill("weekdays at 9 am")
    await expect(screen.get("next-times").locator("li")).to_have_count(5)
    await picture(screen, folder / "schedule.png")
    await screen.get("schedule-save").click()
    await expect(screen.get("trigger-row")).to_have_count(1)
    await screen.get("run-input").fill("hello")
    await screen.get("run-now").click()
    await screen.page.wait_for_url("**/runs/*")
    await expect(screen.page.locator(".rh .rs")).to_have_attribute("data-state", "succeeded")
    await picture(screen, folder / "run.png")
    await screen.page.goto(screen.product.url + "/runs")
    await expect(screen.get("run-row").first).to_be_visible()
    await picture(screen, folder / "runs.png")
    await screen.page.goto(f"{screen.product.url}/agents/{agent}")
    await expect(screen.get("version-row").or_(screen.get("publish")).first).to_be_visible()
    await picture(screen, folder / "agent.png")


async def picture(screen: Screen, path: Path) -> None:
    """Wait until nothing moves, then take a screenshot."""
    await screen.page.wait_for_load_state("networkidle")
    await screen.page.evaluate("document.fonts.ready")
    await screen.page.screenshot(path=path, animations="disabled")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else TO))
