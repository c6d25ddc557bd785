"""`/usage`: what was used in a period, what it cost, and the limits; for administrators the same over all users."""

import csv
import io
from datetime import date
from functools import partial
from typing import Any

import msgspec
from nicegui import app, ui
from nicegui.events import GenericEventArguments
from starlette.requests import Request
from starlette.responses import Response

from core.domain.limits import Limits
from core.domain.records import Role, now
from core.domain.usage import UsageRow
from core.services.spending import UserUsage
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.usage import limit_form
from ui.usage.limit_form import VALUE, LimitForm
from ui.usage.limit_meter import limit_meter
from ui.usage.periods import PERIODS, UsageQuery, read
from ui.usage.quotas import Quotas
from ui.usage.sums import Sum, cost, summed, total
from ui.usage.user_name import user_name

SHOWN = 200  # lines of the table; the file has all
COLUMNS = ("user", *(name for name in UsageRow.__struct_fields__))


class UsagePage:
    """An open page of usage."""

    def __init__(self, page: PageFrame, asked: UsageQuery) -> None:
        self._page, self._asked = page, asked

    async def build(self) -> None:
        """Read, and draw everything."""
        page, asked, words = self._page, self._asked, self._page.words
        spending, user = page.services.spending, page.user_id
        found: list[UserUsage] = []
        if asked.everyone:
            found = await spending.usage_of_all(by=user, first=asked.first, last=asked.last)
            keyed = [(str(one.user.id), row) for one in found for row in one.rows]
            names = {str(one.user.id): user_name(one.user, page) for one in found}
        else:
            keyed = [(row.agent, row) for row in await spending.usage(user=user, first=asked.first, last=asked.last)]
            agents, _ = await page.services.agents.index(user=user, sessions=1)
            names = {agent.id: agent.name or words.t("dashboard.untitled") for agent in agents}
        with tag("div", classes="page narrow settings usage", testid="usage"):
            self._head()
            self._total(total(row for _, row in keyed))
            self._sums(keyed, names)
            if asked.everyone:
                await Quotas(page, found).build()
            else:
                await self._limits()

    def _head(self) -> None:
        words, asked = self._page.words, self._asked
        with tag("div", classes="bar1"):
            tag("h1", words.t("usage.title"))
            tag("span", classes="grow")
            if self._page.user.role is Role.ADMIN:
                with tag("nav", classes="tabs", aria_label=words.t("usage.whose")):
                    for whose, everyone in (("", False), ("all", True)):
                        label = words.t(f"usage.whose_{whose or 'mine'}")
                        one = tag("a", label, classes="tab", href=asked.address(whose=whose, by=""))
                        one.attributes(aria_current="true" if everyone == asked.everyone else None)
            href = asked.address(path="/usage.csv")
            with tag("a", classes="btn ghost sm", href=href, testid="usage-csv", download=""):
                icon("download")
                tag("span", "CSV")
        with tag("div", classes="bar1 period"):
            with tag("nav", classes="tabs", aria_label=words.t("usage.period")):
                for period in PERIODS:
                    href = asked.address(period=period, **{"from": "", "to": ""})
                    one = tag("a", words.t(f"usage.period_{period}"), classes="tab", href=href)
                    one.attributes(aria_current="true" if period == asked.period else None)
            tag("span", classes="grow")
            with tag("div", classes="row days"):
                for name, day in (("from", asked.first), ("to", asked.last)):
                    box = tag("input", classes="input", type="date", value=f"{day}", testid=f"usage-{name}")
                    box.attributes(aria_label=words.t(f"usage.{name}"))
                    box.on("change", partial(self._on_day, name), js_handler=VALUE)
                    if name == "from":
                        tag("span", "–", classes="muted", aria_hidden="true")

    def _on_day(self, name: str, event: GenericEventArguments) -> None:
        days = {"from": f"{self._asked.first}", "to": f"{self._asked.last}"} | {name: str(event.args)[:10]}
        if not all(days.values()):
            return
        if days["from"] > days["to"]:
            days = {"from": days[name], "to": days[name]}
        ui.navigate.to(self._asked.address(period="", **days))

    def _total(self, whole: Sum) -> None:
        words = self._page.words
        with tag("dl", classes="totals"):
            for name, value, note in (
                ("cost", cost(whole, words), words.t("usage.unpriced", n=whole.unpriced_calls)),
                ("calls", words.number(whole.calls), ""),
                ("tokens", words.number(whole.tokens), self._tokens(whole)),
            ):
                with tag("div"):
                    tag("dt", words.t(f"usage.{name}"))
                    tag("dd", value, testid=f"total-{name}")
                    if note and (name != "cost" or whole.unpriced_calls):
                        tag("dd", note, classes="tiny")

    def _tokens(self, of: Sum) -> str:
        words = self._page.words
        shown = {"read": words.number(of.input_tokens), "written": words.number(of.output_tokens)}
        if of.cached_tokens:
            return words.t("usage.read_written_cached", cached=words.number(of.cached_tokens), **shown)
        return words.t("usage.read_written", **shown) if of.tokens else ""

    def _sums(self, keyed: list[tuple[str, UsageRow]], names: dict[str, str]) -> None:
        words, asked = self._page.words, self._asked
        first = "user" if asked.everyone else "agent"
        with tag("nav", classes="tabs bar2", aria_label=words.t("usage.by")):
            for by in (first, "model", "day"):
                link = tag("a", words.t(f"usage.by_{by}"), classes="tab", href=asked.address(by=by))
                link.attributes(aria_current="true" if by == asked.by else None)
        sums = summed(keyed if asked.by == first else ((str(getattr(row, asked.by)), row) for _, row in keyed))
        if asked.by == "day":
            sums.sort(key=lambda one: one.key, reverse=True)
        if not sums:
            tag("p", words.t("usage.nothing"), classes="meta none", testid="no-usage")
            return
        most = max(one.cost_usd for one in sums) or max(one.tokens for one in sums) or 1
        priced = any(one.cost_usd for one in sums)
        with tag("div", classes="ut", role="table", aria_label=words.t("usage.title")):
            with tag("div", classes="tr th", role="row"):
                for name in (f"by_{asked.by}", "share", "calls", "tokens", "cost"):
                    classes = "sr" if name == "share" else "" if name.startswith("by_") else "num"
                    tag("span", words.t(f"usage.{name}"), classes=classes, role="columnheader")
            for one in sums[:SHOWN]:
                share = (one.cost_usd if priced else one.tokens) / most
                self._row(one, self._key(one.key, names), share)
        if asked.by == "day":
            tag("p", words.t("usage.utc"), classes="tiny")

    def _row(self, one: Sum, name: str, share: float) -> None:
        words = self._page.words
        with tag("div", classes="tr", role="row", testid="usage-row", data_key=one.key):
            tag("span", name, classes="cut", role="cell")
            with tag("span", classes="share", role="cell", aria_label=f"{share:.0%}"):
                tag("i", style=f"width:{share:.1%}")
            tag("span", words.number(one.calls), classes="num", role="cell")
            tag("span", words.number(one.tokens), classes="num", role="cell", title=self._tokens(one))
            tag("span", cost(one, words), classes="num", role="cell")

    def _key(self, key: str, names: dict[str, str]) -> str:
        words = self._page.words
        if self._asked.by == "day":
            return words.date(date.fromisoformat(key))
        if self._asked.by == "model":
            return words.t("usage.practice") if key == "practice" else key
        return names.get(key) or words.t("usage.gone", id=key)

    async def _limits(self) -> None:
        page, words, today = self._page, self._page.words, now().date()
        spending, user = page.services.spending, page.user_id
        limits, spent = await spending.limits(user=user), await spending.month_usd(user=user)
        allowed = await spending.in_force("", user=user)
        with tag("section", classes="part", aria_labelledby="limits"):
            with tag("div", classes="row"):
                tag("h2", words.t("limits.title"), id="limits")
                tag("span", words.t("limits.month"), classes="meta grow")
                smaller = min((usd for usd in (allowed.user_month_usd, allowed.quota_month_usd) if usd), default=0.0)
                tag("span", words.t("limits.spent_of", spent=words.money(spent), limit=words.money(smaller))
                    if smaller else words.money(spent), classes="meta nowrap")  # fmt: skip
            limit_meter(words, spent_usd=spent, limit_usd=smaller, today=today)
            values = msgspec.structs.asdict(limits)
            LimitForm(page, about="user", fields=limit_form.USER, values=values, save=self._save)
            with tag("p", classes="meta lockline"):
                icon("lock")
                tag("span", words.t("limits.refused_before"))
            if allowed.quota_month_usd:
                tag("p", words.t("limits.quota", usd=words.money(allowed.quota_month_usd)), classes="meta")

    async def _save(self, values: dict[str, float]) -> None:
        await self._page.services.spending.set_limits(msgspec.convert(values, Limits), user=self._page.user_id)


def install(services: Services) -> None:
    """Serve the page and its file."""

    @screen("/usage")
    async def usage(request: Request) -> None:
        user = services.auth.current()
        asked = read(dict(request.query_params), today=now().date(), admin=user.role is Role.ADMIN)
        with frame(services, title="usage.title") as page:
            await UsagePage(page, asked).build()

    @app.get("/usage.csv", include_in_schema=False)
    async def as_csv(request: Request) -> Response:
        text = io.StringIO()
        rows = csv.DictWriter(text, COLUMNS)
        rows.writeheader()
        rows.writerows(await _exported(services, request))
        return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8")


async def _exported(services: Services, request: Request) -> list[dict[str, Any]]:
    """All rows of a period. Raises: NotSignedIn."""
    user = services.auth.user_of(request)
    asked = read(dict(request.query_params), today=now().date(), admin=user.role is Role.ADMIN)
    if asked.everyone:
        found = await services.spending.usage_of_all(by=user.user_id, first=asked.first, last=asked.last)
        return [{"user": one.user.id, **msgspec.structs.asdict(row)} for one in found for row in one.rows]
    rows = await services.spending.usage(user=user.user_id, first=asked.first, last=asked.last)
    return [{"user": user.id, **msgspec.structs.asdict(row)} for row in rows]
