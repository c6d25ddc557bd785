"""`/settings/notifications`: channels, quiet hours, and what was told with the answer of every attempt."""

from pathlib import Path

from nicegui import app
from nicegui.events import GenericEventArguments
from starlette.responses import Response

from core.domain.errors import BadInput
from core.domain.notifications import Delivery, DeliveryState, QuietHours
from core.services.notify.channels import Told
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.notifications.messages import path, title
from ui.settings.channel_forms import ChannelForms
from ui.settings.channel_list import ICONS, ChannelList
from ui.settings.menu import settings_page

WORKER = Path(__file__).parent / "push_worker.js"
SHOWN = 20
FIELDS = "event => emit([...event.currentTarget.closest('section').querySelectorAll('input')].map((one) => one.value))"
STATE_ICONS = {
    DeliveryState.SENT: ("check", "ok"),
    DeliveryState.FAILED: ("x", "bad"),
    DeliveryState.UNKNOWN: ("question", "warn"),
    DeliveryState.DROPPED: ("skip", ""),
}


class NotificationsPage:
    """One open page."""

    def __init__(self, page: PageFrame) -> None:
        self._page, self._agents = page, dict[str, str]()
        words = page.words
        tag("p", words.t("notify.promise"), classes="meta")
        with tag("section", classes="part", aria_labelledby="channels"):
            tag("h2", words.t("notify.channels"), id="channels")
            self._channels = ChannelList(page, changed=self.refresh)
        with tag("section", classes="part", aria_labelledby="add-channel"):
            tag("h2", words.t("notify.add"), id="add-channel")
            self._forms = ChannelForms(page, saved=self.refresh)
        with tag("section", classes="part", aria_labelledby="quiet"):
            tag("h2", words.t("notify.quiet"), id="quiet")
            tag("p", words.t("notify.quiet_text"), classes="meta")
            self._quiet = tag("div")
        with tag("section", classes="part", aria_labelledby="told"):
            with tag("div", classes="row"):
                tag("h2", words.t("notify.told"), id="told", classes="grow")
                again = tag("button", words.t("notify.look_again"), classes="btn ghost sm", type="button")
                again.attributes(testid="told-again").on("click", self.refresh, args=[])
            self._told = tag("ul", classes="rows")

    async def build(self) -> None:
        """Show everything for the first time."""
        await self._forms.build()
        await self._show_quiet_hours()
        await self.refresh()

    async def refresh(self) -> None:
        """Read channels and notifications again."""
        services, user, words = self._page.services, self._page.user_id, self._page.words
        cards = await services.agents.cards(user=user)
        self._agents = {card.agent.id: card.agent.name or words.t("dashboard.untitled") for card in cards}
        shown = {card.agent.id: self._agents[card.agent.id] for card in cards if not card.agent.archived}
        told = await services.channels.told(user=user, limit=SHOWN)
        await self._channels.refresh(shown, told)
        self._told.clear()
        with self._told:
            for one in told:
                self._row(one)
            if not told:
                with tag("li", classes="line"):
                    tag("span", words.t("notify.nothing_told"), classes="meta", testid="nothing-told")

    def _row(self, one: Told) -> None:
        words, about = self._page.words, one.notification
        name = self._agents.get(about.agent, words.t("dashboard.untitled")) if about.agent else ""
        with tag("li", classes="told-row", testid="notification", data_kind=about.kind):
            with tag("div", classes="row"):
                tag("a", title(about, name, words), classes="b grow cut", href=path(about))
                tag("span", words.when(about.at), classes="meta nowrap")
            if not one.deliveries:
                tag("p", words.t("notify.app_only"), classes="meta")
            for delivery in one.deliveries:
                self._delivery(delivery)

    def _delivery(self, one: Delivery) -> None:
        words = self._page.words
        glyph, colour = STATE_ICONS.get(one.state, ("clock", ""))
        with tag("div", classes="delivery", testid="delivery", data_state=one.state):
            icon(glyph, colour)
            icon(ICONS[one.channel_kind])
            with tag("div", classes="grow"):
                tag("span", f"{one.address} · {self._state(one)}", classes="wrap")
                for attempt in one.attempts:
                    said = f"{words.clock(attempt.at)} · {attempt.answer}"
                    tag("div", said, classes="meta wrap mono", testid="attempt")

    def _state(self, one: Delivery) -> str:
        words = self._page.words
        if one.state is DeliveryState.WAITING:
            return words.t("notify.state_waiting", at=words.clock(one.next_at))
        word = words.t(f"notify.state_{one.state}")
        return f"{word}: {words.code('notify_why', one.why, 'refused')}" if one.why else word

    # --- quiet hours --------------------------------------------------------------------------------------------------

    async def _show_quiet_hours(self) -> None:
        words = self._page.words
        hours = await self._page.services.channels.quiet_hours(user=self._page.user_id)
        zone = hours.timezone if hours.start else words.zone.key
        self._quiet.clear()
        with self._quiet, tag("div", classes="row quiet-hours"):
            for name, value, kind in (("from", hours.start, "time"), ("to", hours.end, "time"), ("zone", zone, "text")):
                with tag("label", classes="meta"):
                    tag("span", words.t(f"notify.quiet_{name}"))
                    field = tag("input", classes="input", type=kind, value=value, testid=f"quiet-{name}")
                    field.attributes(maxlength=60 if kind == "text" else None, autocomplete="off")
            save = tag("button", words.t("notify.save"), classes="btn", type="button", testid="save-quiet")
            save.on("click", self._save_quiet_hours, js_handler=FIELDS)
        with self._quiet:
            self._wrong = tag("p", classes="bad", role="alert")

    async def _save_quiet_hours(self, event: GenericEventArguments) -> None:
        start, end, zone = (str(value)[:60].strip() for value in [*event.args, "", "", ""][:3])
        words = self._page.words
        try:
            hours = QuietHours(start=start, end=end, timezone=zone)
            await self._page.services.channels.set_quiet_hours(hours, user=self._page.user_id)
        except BadInput as error:
            self._wrong.set_text(words.code("error", error.code, "bad_input"))
            return
        self._wrong.set_text("")
        self._page.toasts.show(words.t("notify.quiet_saved" if start else "notify.quiet_off"), "ok")


def install(services: Services) -> None:
    """Serve the page, and the script that shows Web Push messages while no page is open."""

    @app.get("/push_worker.js", include_in_schema=False)
    def push_worker() -> Response:
        return Response(WORKER.read_text("utf-8"), media_type="text/javascript")

    @screen("/settings/notifications")
    async def notifications() -> None:
        with (
            frame(services, title="notify.title") as page,
            settings_page(page, "notifications", page.words.t("notify.title")),
        ):
            await NotificationsPage(page).build()
