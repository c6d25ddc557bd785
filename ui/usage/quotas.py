"""The quotas of `/usage` for administrators: the platform's limits, and what each user may spend in a month."""

from functools import partial

import msgspec
from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput
from core.domain.limits import Quota
from core.domain.records import UserId, now
from core.services.spending import UserUsage
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame
from ui.usage import limit_form
from ui.usage.limit_form import VALUE, LimitForm
from ui.usage.limit_meter import limit_meter
from ui.usage.user_name import user_name

SHOWN = 100  # users, those who spent most first


class Quotas:
    """The sections below everybody's usage."""

    def __init__(self, page: PageFrame, found: list[UserUsage]) -> None:
        self._page = page
        self._found = sorted(found, key=lambda one: -one.month_usd)[:SHOWN]

    async def build(self) -> None:
        """Read the platform's limits, and draw."""
        page, words = self._page, self._page.words
        spending = page.services.spending
        platform = await spending.platform_quota(by=page.user_id)
        spent = await spending.platform_month_usd(by=page.user_id)
        with tag("section", classes="part", aria_labelledby="limits"):
            with tag("div", classes="row"):
                tag("h2", words.t("limits.platform"), id="limits")
                tag("span", words.t("limits.month"), classes="meta grow")
                limit = platform.platform_month_usd
                shown = words.t("limits.spent_of", spent=words.money(spent), limit=words.money(limit))
                tag("span", shown if limit else words.money(spent), classes="meta nowrap")
            limit_meter(words, spent_usd=spent, limit_usd=limit, today=now().date())
            values = msgspec.structs.asdict(platform)
            LimitForm(page, about="platform", fields=limit_form.PLATFORM, values=values, save=self._save)
        with tag("section", classes="part", aria_labelledby="quotas"):
            tag("h2", words.t("limits.quotas"), id="quotas")
            tag("p", words.t("limits.quotas_text"), classes="meta")
            with tag("ul", classes="rows"):
                for one in self._found:
                    self._row(one, platform)

    def _row(self, one: UserUsage, platform: Quota) -> None:
        words = self._page.words
        name = user_name(one.user, self._page)
        own = one.quota is not None
        limit = one.quota.user_month_usd if one.quota else platform.user_month_usd
        with tag("li", classes="line", testid="quota-row", data_user=one.user.id):
            with tag("div", classes="grow"):
                tag("div", name, classes="b cut")
                spent = words.t("limits.spent", usd=words.money(one.month_usd))
                if limit:
                    spent = words.t("limits.spent_of", spent=words.money(one.month_usd), limit=words.money(limit))
                tag("div", spent, classes="meta")
            with tag("div", classes="input unit"):
                tag("span", "US$", classes="muted", aria_hidden="true")
                box = tag("input", type="text", inputmode="decimal", maxlength="12", autocomplete="off")
                box.attributes(
                    value=f"{one.quota.user_month_usd:g}" if one.quota and own else "",
                    placeholder=words.t("limits.as_platform"),
                    aria_label=words.t("limits.quota_of", name=name),
                    testid="quota",
                )
                box.on("change", partial(self._set, one.user.user_id), js_handler=VALUE)

    async def _set(self, user: UserId, event: GenericEventArguments) -> None:
        typed = str(event.args).strip().replace(",", "")[:12]
        try:
            usd = float(typed) if typed else None
        except ValueError as error:
            raise BadInput(f"{typed!r} is no number", code="bad_limit") from error
        await self._page.services.spending.set_user_quota(user, usd, by=self._page.user_id)
        self._page.toasts.show(self._page.words.t("limits.saved"), "ok")

    async def _save(self, values: dict[str, float]) -> None:
        await self._page.services.spending.set_platform_quota(msgspec.convert(values, Quota), by=self._page.user_id)
