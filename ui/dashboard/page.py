"""`/dashboard`: a card for every agent, or the start page if there is no agent yet."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from nicegui import app, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments
from starlette.responses import RedirectResponse, Response

from core.domain.error_catalogue import may_retry
from core.domain.events import PRACTICE
from core.domain.records import Request, now
from core.domain.schedules import next_after
from core.domain.states import SessionState
from core.services.overview import AgentSummary, Overview
from ui.agents.actions import AgentActions
from ui.dashboard.start import Start, make
from ui.layout.html import tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.run_form import run_now

PATIENCE_S = 0.25  # a read that takes longer shows skeletons first
TICK_S = 30.0  # between updates of relative times ("42 minutes ago")
LABELS = "filter create name draft answer retry resume rename archive restore delete deleting".split()
FILTERS: tuple[tuple[str, tuple[SessionState, ...] | None, bool], ...] = (
    ("all", None, False),
    ("asking", (SessionState.ASKING,), False),
    ("busy", (SessionState.BUSY,), False),  # not STARTING: after a restart open tabs wake idle sessions
    ("failed", (SessionState.FAILED,), False),
    ("archived", None, True),
)


class AgentCards(Element, component="agent_cards.js"):
    """Filter row and cards in one element. `overview` is None while it is being read."""

    def __init__(self, words: Translations, overview: Overview | None, *, free: bool = False) -> None:
        super().__init__()
        self._words = words
        self._free = words.t("head.free") if free else ""  # instead of zero, with a model that costs nothing
        self._overview = overview
        self._shown = self._read()
        self.props["first"] = self._shown
        self.props["words"] = _labels(words)

    def show(self, overview: Overview) -> None:
        """Show these cards."""
        self._overview = overview
        self.refresh()

    def refresh(self) -> None:
        """Send what has changed: single cards if their order is the same, else all of them."""
        before, self._shown = self._shown, self._read()
        if self._shown == before:
            return
        old, new = before["cards"] or [], self._shown["cards"] or []
        whole = [card["id"] for card in old] != [card["id"] for card in new]
        changed = new if whole else [card for card, was in zip(new, old, strict=True) if card != was]
        self.run_method("show", {**self._shown, "cards": changed}, whole)

    def _read(self) -> dict[str, Any]:
        if self._overview is None:
            return {"cards": None, "filters": _filters([], self._words), "month": ""}
        cards = self._overview.summaries(blank=False)
        first: dict[str, Request] = {}  # agent → its newest request
        for request in self._overview.requests:
            first.setdefault(request.agent, request)
        month = sum(card.cost_usd for card in cards)
        cost = self._words.money(month) if month or not self._free else self._free
        return {
            "cards": [view(card, first.get(card.agent.id), self._words) for card in cards],
            "filters": _filters(cards, self._words),
            "month": self._words.t("dashboard.month", cost=cost),
        }


class Dashboard:
    """An open dashboard page."""

    def __init__(self, page: PageFrame) -> None:
        self.page, self.services = page, page.services
        self.body = tag("div", classes="page")
        self.view: AgentCards | Start | None = None
        self.actions = AgentActions(page)

    async def show(self) -> None:
        """Show what the overview says now."""
        self.draw(self.page.overview)

    def draw(self, overview: Overview | None) -> None:
        """Draw the cards, or the start page without agents, or skeletons if `overview` is None."""
        if isinstance(self.view, Start) and self.view.begun:
            return
        empty = overview is not None and not overview.summaries(blank=False)
        if self.view is None or empty != isinstance(self.view, Start):
            self.body.clear()
            with self.body:
                self.view = Start(self.page) if empty else self._cards(overview)
        elif overview is not None and isinstance(self.view, AgentCards):
            self.view.show(overview)

    def _cards(self, overview: Overview | None) -> AgentCards:
        tag("h1", self.page.words.t("dashboard.title"), classes="sr")
        cards = AgentCards(self.page.words, overview, free=self.services.provider == PRACTICE)
        cards.on("make", self._make, args=[])
        cards.on("rename", self._rename)
        cards.on("archive", self._archive)
        cards.on("retry", self._retry)
        cards.on("run", self._run)
        cards.on("ask", self._ask)
        cards.on("remove", self._remove)
        ui.timer(TICK_S, cards.refresh)
        return cards

    async def _make(self) -> None:
        try:
            await make(self.page)
        finally:
            self._call("made")

    async def _rename(self, event: GenericEventArguments) -> None:
        agent, name = _strings(event.args, 2)
        await self.actions.rename(agent, name)

    async def _archive(self, event: GenericEventArguments) -> None:
        await self.actions.archive(str(event.args[0]), bool(event.args[1]))

    async def _retry(self, event: GenericEventArguments) -> None:
        cards = self.page.overview.summaries()
        session = next((card.session for card in cards if card.agent.id == event.args), "")
        if session:
            await self.actions.retry(session)

    async def _run(self, event: GenericEventArguments) -> None:
        agent = await self.services.agents.get(str(event.args), user=self.page.user_id)
        self.page.client.open(await run_now(self.services, agent, user=self.page.user_id))

    async def _ask(self, event: GenericEventArguments) -> None:
        (id,) = _strings([event.args], 1)
        self._call("confirm", await self.actions.deletion_question(id))

    async def _remove(self, event: GenericEventArguments) -> None:
        (id,) = _strings([event.args], 1)
        try:
            await self.actions.delete(id)
        finally:
            self._call("removed")
        self.page.toasts.show(self.page.words.t("dashboard.deleted"))

    def _call(self, method: str, *args: Any) -> None:
        if isinstance(self.view, AgentCards):
            self.view.run_method(method, *args)


def view(card: AgentSummary, waiting: Request | None, words: Translations) -> dict[str, Any]:
    """The texts of a card; `waiting` is the agent's newest open request."""
    here = f"/workspace/{quote(card.agent.id)}"
    name = _name(card.agent.name, words)
    return {
        "id": card.agent.id,
        "icon": card.agent.icon,
        "name": name,
        "draft": card.agent.draft,
        "archived": card.agent.archived,
        "state": card.state,
        "word": words.t(f"state.{card.state}"),
        "line": _line(card, waiting, words),
        "exact": bool(waiting and waiting.kind == "permission" and not waiting.reason),
        "when": _waits(waiting, words) if waiting else words.when(card.at),
        "at": words.full(card.at),
        "cost": words.t("dashboard.month", cost=words.money(card.cost_usd)) if card.cost_usd else "",
        "href": f"{here}?session={quote(card.session)}" if card.session else here,
        "answer": f"{here}?session={quote(waiting.session)}" if waiting else here,
        "page": f"/agents/{quote(card.agent.id)}",
        "operate": f"/agents/{quote(card.agent.id)}/operate",
        "next": _next(card, words),
        "last": _last(card, words),
        "lastHref": f"/runs/{card.last_run.run}" if card.last_run else "",
        "more": words.t("dashboard.more", name=name),
        "again": card.state is SessionState.FAILED and may_retry(card.reason),
        "sessions": words.t("dashboard.sessions", n=card.sessions) if card.sessions else "",
    }


def _next(card: AgentSummary, words: Translations) -> str:
    """Return when the agent works by itself next; empty: it has no schedule in force."""
    if card.agent.archived or card.agent.draft:
        return ""
    due = [next_after(one.schedule, now()) for one in card.triggers if one.enabled]
    first = min((at for at in due if at), default=None)
    return words.t("dashboard.next_run", at=words.ahead(first)) if first else ""


def _last(card: AgentSummary, words: Translations) -> str:
    """Say how the agent's last run ended, in the words of the list of runs."""
    last = card.last_run
    if last is None:
        return ""
    word = words.t("dashboard.last_run", state=words.t(f"run_state.{last.state}"))
    just_now = abs(card.at - last.at) < timedelta(minutes=1)  # the card's own time says it already
    return word if just_now else f"{word} · {words.when(last.at)}"


def _waits(request: Request, words: Translations) -> str:
    if now() - request.asked_at < timedelta(minutes=1):
        return words.t("dashboard.waiting_now")
    return words.t("dashboard.waiting", since=words.since(request.asked_at))


def _line(card: AgentSummary, waiting: Request | None, words: Translations) -> str:
    if card.state is SessionState.FAILED and card.reason:
        return words.code("reason", card.reason, "other")
    asked = waiting.reason or waiting.summary if waiting else ""
    quiet = "dashboard.first" if card.state is SessionState.BUSY else "dashboard.quiet"
    return asked or card.line or card.agent.description or words.t(quiet)


def _name(name: str, words: Translations) -> str:
    return name or words.t("dashboard.untitled")


def _filters(cards: list[AgentSummary], words: Translations) -> list[dict[str, Any]]:
    found = []
    for id, states, archived in FILTERS:
        count = sum(card.agent.archived == archived and (states is None or card.state in states) for card in cards)
        found.append(
            {
                "id": id,
                "text": words.t(f"dashboard.filter_{id}"),
                "count": words.number(count) if count else "",
                "states": states,
                "archived": archived,
            }
        )
    return found


def _labels(words: Translations) -> dict[str, Any]:
    labels: dict[str, Any] = {name: words.t(f"dashboard.{name}") for name in LABELS}
    none = {id: words.t(f"dashboard.none_{id}") for id, _, _ in FILTERS}
    return {
        **labels,
        "cancel": words.t("common.cancel"),
        "page": words.t("agent.open_page"),
        "operate": words.t("schedules.title"),
        "run": words.t("schedules.run_now"),
        "none": none,
    }


def _strings(args: Any, count: int) -> list[str]:
    """The event's arguments as `count` strings. Raises: ValueError: they have another shape."""
    if not isinstance(args, list) or len(args) != count or not all(isinstance(one, str) for one in args):
        raise ValueError("an event of another shape than our page sends")
    return args


def install(services: Services) -> None:
    """Serve the page, and redirect to it from `/`."""

    @app.get("/", include_in_schema=False)
    def root() -> Response:
        return RedirectResponse("/dashboard", 303)

    @screen("/dashboard")
    async def dashboard(gone: str | None = None) -> None:
        """`?gone`: another page leads here because its agent was deleted elsewhere."""
        with frame(services, title="dashboard.title") as page:
            if gone is not None:
                page.toasts.show(page.words.t("dashboard.gone"), "info")
                page.client.run_javascript("history.replaceState(history.state, '', location.pathname)")  # said once
            board = Dashboard(page)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await page.read(partial(services.agents.overview, user=page.user_id))
                board.draw(page.overview)
            except TimeoutError:
                board.draw(None)
            page.on_change(board.show)
