"""The findings of a browser on a page: elements, text, links, and everything that should not have happened."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

WAIT_MS = 30_000
HERE = Path(__file__).parent
CANARY, CENSUS = (HERE / "canary.js").read_text("utf-8"), (HERE / "census.js").read_text("utf-8")
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)))"


@dataclass(slots=True)
class Seen:
    """The findings of one or more looks at a page, added up."""

    strict: Counter[str] = field(default_factory=Counter)
    loose: Counter[str] = field(default_factory=Counter)
    text: str = ""
    links: list[dict[str, Any]] = field(default_factory=list)
    acting: list[list[list[str]]] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def tags(self) -> Counter[str]:
        """Return the number of elements of each kind outside of the model's prose."""
        found: Counter[str] = Counter()
        for sign, count in self.strict.items():
            found[sign.partition("[")[0]] += count
        return found

    @property
    def attributes(self) -> set[tuple[str, str]]:
        """Return the elements that have each attribute. (The sanitiser removes a `title` that it does not trust.)"""
        signs = (sign.rstrip("]").partition("[") for sign in self.strict)
        return {(tag, name) for tag, _, names in signs for name in names.split(",")}


class Looker:
    """A signed-in browser of one server. What happens in it anywhere is kept in `happened`."""

    def __init__(self, context: BrowserContext, base: str, last_seq: dict[str, int]) -> None:
        self.context, self.base, self._last_seq = context, base, last_seq
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.page: Page | None = None

    @classmethod
    async def start(cls, browser: Browser, base: str, cookie: str, last_seq: dict[str, int]) -> "Looker":
        context = await browser.new_context(locale="ko-KR", timezone_id="Asia/Seoul")
        await context.add_cookies([{"name": "oma", "value": cookie, "url": base}])
        await context.add_init_script(CANARY)
        looker = cls(context, base, last_seq)
        context.on("request", lambda request: looker._asked(request.url))
        context.on("dialog", lambda dialog: looker.complaints.append(f"dialog {dialog.message}"))
        context.on("page", lambda page: looker.complaints.append(f"window {page.url}") if looker.page else None)
        context.on("weberror", lambda error: looker.complaints.append(str(error.error)))
        context.on(
            "console", lambda said: looker.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        looker.page = await context.new_page()
        looker.page.set_default_timeout(WAIT_MS)
        return looker

    def _asked(self, url: str) -> None:
        if not url.startswith((self.base + "/", "data:", "blob:")):
            self.foreign.append(url)

    async def go(self, name: str, path: str) -> None:
        """Open a page of ours and wait until all of it is there."""
        assert self.page
        self.foreign.clear()
        self.complaints.clear()
        await self.page.goto(self.base + path)
        await self.page.wait_for_function("!document.getElementById('popup') || window.did_handshake === true")
        await self.page.wait_for_function("!document.querySelector('.skeleton')")
        if name in self._last_seq:
            wanted = f"Number(document.querySelector('.transcript').dataset.lastSeq) >= {self._last_seq[name]}"
            await self.page.wait_for_function(wanted)

    async def look(self, seen: Seen) -> Seen:
        """Add what is there now."""
        assert self.page
        await self.page.evaluate(SETTLED)
        found = await self.page.evaluate(CENSUS)
        seen.strict.update(found["strict"])
        seen.loose.update(found["loose"])
        seen.text += "\n" + found["text"]
        seen.links += found["links"]
        seen.acting += found["acting"]
        for frame in self.page.frames:
            seen.ran += await frame.evaluate("window.__ran")
            seen.refused += await frame.evaluate("window.__refused")
        seen.foreign += self.foreign
        seen.complaints += self.complaints
        return seen
