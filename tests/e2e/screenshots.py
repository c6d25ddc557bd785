"""`make screenshots`: every page in both languages and themes at three widths, for a person to look at.

The product is started in folders of its own with the practice model, an agent is built and run, and each page is opened
in twelve looks. Beside the pictures it prints what axe-core finds and every page that is wider than its window, and
exits with 1 if there is anything. It takes some minutes; nothing of it is part of `make test`.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests import browser
from tests.e2e.screen import Screen
from tests.e2e.test_practice import ANSWER, WISH, allow_all, answer_the_builder
from tests.product import Product
from ui.workspace.panel import COOKIE

WIDTHS = {390: 844, 1280: 800, 1920: 1080}
THEMES = ("light", "dark")
LOCALES = ("ko-KR", "en-US")
SETTLED = (
    "Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity)"
    ".map((one) => one.finished.catch(() => 0)))"
)
SERIOUS = ("serious", "critical")


@dataclass
class Looks:
    """A browser profile for each theme and width, all of the same person; `faults` are lines for the report."""

    product: Product
    folder: Path
    locale: str
    pages: dict[str, Page] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    async def open(self, chromium: Browser, login: BrowserContext) -> None:
        """Open the profiles, each signed in with the login of `login`."""
        state: Any = await login.storage_state()
        for theme in THEMES:
            for width, height in WIDTHS.items():
                context = await chromium.new_context(
                    locale=self.locale,
                    viewport={"width": width, "height": height},
                    has_touch=width < 600,
                    color_scheme=theme,  # type: ignore[arg-type]
                    timezone_id="Asia/Seoul",
                    storage_state=state,
                )
                self.pages[f"{theme}-{width}"] = await context.new_page()

    async def take(self, name: str, path: str, *, panel: str = "") -> None:
        """Take the page at `path` in every look, and judge each; `panel` is the tab of the side panel that is open."""
        for look, page in self.pages.items():
            await page.context.add_cookies([{"name": COOKIE, "value": panel, "url": self.product.url}])
            answer = await page.goto(self.product.url + path)
            if answer is None or answer.status >= 400:
                self.faults.append(f"{self.locale} {name}: status {answer.status if answer else 'none'}")
                return
            await page.wait_for_load_state("networkidle")
            await page.evaluate("document.fonts.ready")
            await page.evaluate(SETTLED)
            language = self.locale.split("-")[0]
            await page.screenshot(path=self.folder / f"{name}-{language}-{look}.png", animations="disabled")
            await self._judge(page, f"{name}-{language}-{look}")

    async def _judge(self, page: Page, name: str) -> None:
        found = await Axe().run(page, options={"resultTypes": ["violations"]})
        for rule in found.response["violations"]:
            if rule["impact"] in SERIOUS:
                nodes = [node["html"][:120] for node in rule["nodes"][:3]]
                self.faults.append(f"{name}: {rule['id']} {nodes}")
        if (wide := await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")) > 0:
            self.faults.append(f"{name}: {wide} px wider than the window")


async def walk(screen: Screen, looks: Looks, chromium: Browser) -> None:
    """Build one agent, give it a schedule, run it, and take every page on the way."""
    locale = looks.locale
    await screen.sign_in()
    await looks.open(chromium, screen.page.context)
    await looks.take("dashboard-empty", "/dashboard")
    await looks.take("runs-empty", "/runs")
    await screen.new_agent()
    await screen.say(WISH[locale])
    await answer_the_builder(screen, ANSWER[locale])
    await expect(screen.permission.first).to_be_visible()
    await screen.until_state("asking")
    agent, session = screen.agent, screen.session
    workspace = f"/workspace/{agent}?session={session}"
    await looks.take("permission", workspace)
    await looks.take("inbox", "/inbox")
    await allow_all(screen)
    await looks.take("workspace", workspace)
    for tab in ("files", "changes", "terminal", "agent"):
        await looks.take(f"panel-{tab}", workspace, panel=tab)
    await operate(screen, agent)
    await looks.take("run", screen.page.url.removeprefix(looks.product.url))
    for name, path in pages(agent).items():
        await looks.take(name, path)


def pages(agent: str) -> dict[str, str]:
    """The addresses that need nothing but an agent."""
    return {
        "dashboard": "/dashboard",
        "connections": f"/agents/{agent}/connections",
        "operate": f"/agents/{agent}/operate",
        "agent": f"/agents/{agent}",
        "run-form": f"/agents/{agent}/run",
        "runs": "/runs",
        "settings": "/settings",
        "secrets": "/settings/secrets",
        "notifications": "/settings/notifications",
        "model": "/settings/model",
        "usage": "/usage",
        "admin": "/admin",
    }


async def operate(screen: Screen, agent: str) -> None:
    """Give the agent a schedule and run it once; ends on the run's page."""
    await screen.page.goto(f"{screen.product.url}/agents/{agent}/operate")
    await screen.page.wait_for_function("window.did_handshake === true")
    await screen.get("schedule-new").click()
    await screen.get("schedule-when").fill("0 9 * * 1-5")
    await expect(screen.get("next-times").locator("li")).to_have_count(5)
    await screen.get("schedule-save").click()
    await expect(screen.get("trigger-row")).to_have_count(1)
    await screen.get("run-input").fill("hello")
    await screen.get("run-now").click()
    await screen.page.wait_for_url("**/runs/*")
    await expect(screen.page.locator(".rh .rs")).to_have_attribute("data-state", "succeeded")


async def main(folder: Path) -> int:
    """Write all pictures into `folder`; returns the number of faults, each printed."""
    folder.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
        for locale in LOCALES:
            with tempfile.TemporaryDirectory(prefix="oma-screenshots-") as root:
                async with Product(Path(root) / "product") as product:
                    looks = Looks(product, folder, locale, faults=faults)
                    async with Screen.open(chromium, product, locale=locale) as screen:
                        await walk(screen, looks, chromium)
        await chromium.close()
    print(*faults, f"{len(list(folder.glob('*.png')))} pictures, {len(faults)} faults", sep="\n")
    return len(faults)


if __name__ == "__main__":
    sys.exit(min(1, asyncio.run(main(Path(sys.argv[1])))))
