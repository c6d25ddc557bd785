"""The user's channels: test each, choose what it tells and of which agents, switch it off, delete it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from core.domain.notifications import CHOICES, Channel, ChannelKind, DeliveryState
from core.services.notify.channels import Told, Wanted
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame

ICONS = {
    ChannelKind.EMAIL: "mail",
    ChannelKind.WEBHOOK: "web",
    ChannelKind.SLACK: "send",
    ChannelKind.PUSH: "bell",
}


class ChannelList:
    """The list; `refresh` draws it again. Opened settings of a channel stay open."""

    def __init__(self, page: PageFrame, *, changed: Callable[[], Awaitable[None]]) -> None:
        self._page, self._changed = page, changed
        self._agents: Mapping[str, str] = {}
        self._open = ""
        self._rows = tag("ul", classes="rows")

    async def refresh(self, agents: Mapping[str, str], told: Sequence[Told]) -> None:
        """Read the channels again; `agents` are those that can be chosen, with their names."""
        self._agents = agents
        channels = await self._page.services.channels.all(user=self._page.user_id)
        self._rows.clear()
        with self._rows:
            for one in channels:
                self._row(one, self._last(one, told))
            if not channels:
                with tag("li", classes="line"):
                    tag("span", self._page.words.t("notify.no_channels"), classes="meta", testid="no-channels")

    def _last(self, channel: Channel, told: Sequence[Told]) -> str:
        """Say how the newest delivery on the channel went, in words."""
        words = self._page.words
        if channel.broken:
            return words.code("notify_broken", channel.broken, "gone")
        if not channel.enabled:
            return words.t("notify.is_off")
        for one in told:
            for delivery in one.deliveries:
                if delivery.channel == channel.id and delivery.state in (DeliveryState.SENT, DeliveryState.FAILED):
                    return words.t(f"notify.last_{delivery.state}", when=words.when(delivery.at))
        return words.t("notify.never_used")

    def _row(self, one: Channel, last: str) -> None:
        words = self._page.words
        state = "broken" if one.broken else "on" if one.enabled else "off"
        kind = words.t(f"notify.kind_{one.kind}")
        with tag("li", classes="channel", testid="channel", data_kind=one.kind, data_state=state):
            with tag("div", classes="line"):
                icon(ICONS[one.kind], "lg")
                with tag("div", classes="grow"):
                    tag("div", one.name or kind, classes="b cut")
                    tag("div", " · ".join(filter(None, (kind if one.name else "", one.address))), classes="meta wrap")
                    tag("div", last, classes="meta", testid="channel-last")
                test = tag("button", words.t("notify.test"), classes="btn sm", type="button", testid="test-channel")
                test.on("click", partial(self._test, one.id), args=[])
            opened = tag("details", classes="more")
            if self._open == one.id:
                opened.attributes(open=True)
            with opened:
                tag("summary", words.t("notify.choose"), classes="btn ghost sm", testid="channel-choose")
                self._choices(one)

    def _choices(self, one: Channel) -> None:
        words = self._page.words
        with tag("div", classes="row access", role="group", aria_label=words.t("notify.which_kinds")):
            tag("span", words.t("notify.which_kinds"), classes="meta")
            for kind in CHOICES:
                on = kind in one.kinds
                kinds = tuple(other for other in CHOICES if (other in one.kinds) != (other is kind))
                self._toggle(
                    words.t(f"notify.choice_{kind}"), on, f"kind-{kind}", partial(self._save, one, kinds=kinds)
                )
        if self._agents:
            with tag("div", classes="row access", role="group", aria_label=words.t("notify.which_agents")):
                tag("span", words.t("notify.which_agents"), classes="meta")
                for agent, name in self._agents.items():
                    on = agent not in one.muted
                    muted = (*one.muted, agent) if on else tuple(other for other in one.muted if other != agent)
                    self._toggle(name, on, "agent", partial(self._save, one, muted=muted))
        with tag("div", classes="row acts"):
            label = words.t("notify.switch_off" if one.enabled else "notify.switch_on")
            switch = tag("button", label, classes="btn sm", type="button", testid="switch-channel")
            switch.on("click", partial(self._save, one, enabled=not one.enabled), args=[])
            with tag("details"):
                tag("summary", words.t("notify.delete"), classes="btn sm", testid="delete-channel")
                with tag("div", classes="sure"):
                    tag("p", words.t("notify.delete_will"))
                    gone = tag("button", words.t("notify.delete_do"), classes="btn danger", type="button")
                    gone.attributes(testid="delete-channel-do").on("click", partial(self._delete, one.id), args=[])

    def _toggle(self, label: str, on: bool, testid: str, act: Callable[[], Awaitable[None]]) -> None:
        button = tag("button", classes="btn sm toggle", type="button", aria_pressed=str(on).lower(), testid=testid)
        with button:
            icon("check" if on else "plus")
            tag("span", label, classes="cut")
        button.on("click", act, args=[])

    async def _save(self, one: Channel, **change: object) -> None:
        self._open = one.id
        kept = {"name": one.name, "enabled": one.enabled, "kinds": one.kinds, "muted": one.muted, "email": one.address}
        wanted = Wanted(kind=one.kind, **kept | change)  # type: ignore[arg-type]
        await self._page.services.channels.save(one.id, wanted, user=self._page.user)
        await self._changed()

    async def _test(self, channel: str) -> None:
        words = self._page.words
        sent = await self._page.services.channels.test(channel, user=self._page.user)
        ok = sent.state is DeliveryState.SENT
        said = words.t("notify.test_sent" if ok else "notify.test_failed", answer=sent.attempts[-1].answer)
        self._page.toasts.show(said, "ok" if ok else "bad")
        await self._changed()

    async def _delete(self, channel: str) -> None:
        await self._page.services.channels.delete(channel, user=self._page.user_id)
        self._page.toasts.show(self._page.words.t("notify.deleted"))
        await self._changed()
