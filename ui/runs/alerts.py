"""The inbox entries that are not requests: runs that failed, and schedules that paused themselves or are silent."""

from functools import partial

from core.domain.runs import Alert, AlertKind
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame
from ui.runs.sentences import reason_words

SHOWN = 20  # the rest follows as these are dismissed


class Alerts:
    """The list above the requests; nothing of it is there while there is nothing to say."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        self._seen: list[Alert] = []
        self._list = tag("ul", classes="alerts")
        self._list.set_visibility(False)

    @property
    def is_empty(self) -> bool:
        """True if there is no entry."""
        return not self._seen

    async def refresh(self) -> None:
        """Read again, and draw if there is anything new."""
        found = (await self._page.services.runs.alerts(user=self._page.user_id))[:SHOWN]
        if found == self._seen:
            return
        self._seen = found
        self._list.set_visibility(bool(found))
        self._list.clear()
        with self._list:
            for alert in found:
                self._row(alert)

    def _row(self, alert: Alert) -> None:
        words = self._page.words
        agent = self._page.overview.agent(alert.agent)
        name = (agent and agent.name) or words.t("dashboard.untitled")
        title, href = f"{name} · {words.t(f'alert.{alert.kind}')}", f"/agents/{alert.agent}/operate"
        text = reason_words(alert.reason, words) if alert.reason else words.t("alert.silent_text")
        if alert.run:
            href = f"/runs/{alert.run}"
        if alert.kind is AlertKind.BUDGET:
            scope, _, percent = alert.reason.partition("_")
            text, href = words.t(f"alert.budget_{scope}", percent=percent), "/usage"
            title = title if alert.agent else words.t("alert.budget")
        with tag("li", classes="card line", testid="inbox-item", data_kind=alert.kind):
            icon("alert", "bad")
            with tag("div", classes="grow"):
                tag("div", title, classes="b")
                tag("div", f"{text} · {words.when(alert.at)}", classes="meta")
            tag("a", words.t("alert.see"), classes="btn sm", href=href)
            done = tag("button", words.t("alert.dismiss"), classes="btn ghost sm", type="button", testid="dismiss")
            done.on("click", partial(self._dismiss, alert.id), args=[])

    async def _dismiss(self, alert: str) -> None:
        await self._page.services.runs.dismiss(alert, user=self._page.user_id)
        await self.refresh()
