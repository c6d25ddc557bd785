"""The forms that add a channel: an e-mail address, a webhook, Slack, or this browser."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput, Conflict, TooMuch, Unavailable
from core.domain.notifications import ChannelKind
from core.services.notify.channels import Saved, Wanted, new_channel_id
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame
from ui.settings.channel_list import ICONS
from ui.settings.user_agent import described

# What is typed goes from the fields to the server and nowhere else: no element of the page knows it.
TYPED = (
    "(event) => { event.preventDefault(); "
    "emit([...event.currentTarget.querySelectorAll('.input')].map((field) => field.value)); }"
)
EMPTY = "document.querySelectorAll('.channel-new .input').forEach(i => { i.value = ''; })"
SUBSCRIBE = """async (event) => {
  const key = event.currentTarget.dataset.key;
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) return emit({ why: "unsupported" });
  if ((await Notification.requestPermission()) !== "granted") return emit({ why: "denied" });
  try {
    await navigator.serviceWorker.register("/push_worker.js");
    const worker = await navigator.serviceWorker.ready;
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    emit(made.toJSON());
  } catch (error) {
    emit({ why: "failed" });
  }
}"""
REFUSALS = (BadInput, Conflict, TooMuch, Unavailable)


class ChannelForms:
    """One form for each kind of channel that this platform can send over."""

    def __init__(self, page: PageFrame, *, saved: Callable[[], Awaitable[None]]) -> None:
        self._page, self._saved = page, saved
        self._place = tag("div", classes="channel-add")
        self._wrong = tag("p", classes="bad", role="alert", testid="channel-error")
        self._key = tag("div")

    async def build(self) -> None:
        """Show the forms."""
        words, channels = self._page.words, self._page.services.channels
        with self._place:
            for kind in channels.kinds:
                if kind is ChannelKind.PUSH:
                    await self._browser()
                else:
                    self._form(kind)
            if ChannelKind.EMAIL not in channels.kinds:
                tag("p", words.t("notify.no_smtp"), classes="meta", testid="no-smtp")

    def _form(self, kind: ChannelKind) -> None:
        words = self._page.words
        with tag("details"):
            with tag("summary", classes="btn", testid=f"add-{kind}"):
                icon(ICONS[kind])
                tag("span", words.t(f"notify.kind_{kind}"))
            with tag("form", classes="channel-new", autocomplete="off") as form:
                tag("p", words.t(f"notify.help_{kind}"), classes="meta")
                if kind is not ChannelKind.EMAIL:
                    self._field(kind, "name", type="text", maxlength=60)
                    self._field(kind, "url", type="url", required=True, placeholder="https://", maxlength=2000)
                elif self._page.services.settings.production:
                    self._field(kind, "email", type="email", value=self._page.user.email, readonly=True)
                else:
                    self._field(kind, "email", type="email", value=self._page.user.email, required=True, maxlength=254)
                tag("button", words.t("notify.add_do"), classes="btn", type="submit", testid=f"save-{kind}")
            form.on("submit", partial(self._typed, kind), js_handler=TYPED)

    def _field(self, kind: ChannelKind, name: str, **attributes: Any) -> Tag:
        id = f"{kind}-{name}"
        tag("label", self._page.words.t(f"notify.field_{name}"), classes="meta", for_=id)
        return tag("input", classes="input", id=id, autocomplete="off", testid=id, **attributes)

    async def _browser(self) -> None:
        try:
            key = await self._page.services.channels.push_key()
        except Unavailable:
            return  # the vault does not answer; the rest of the page is of use all the same
        words = self._page.words
        button = tag("button", classes="btn", type="button", testid="add-push", data_key=key)
        with button:
            icon(ICONS[ChannelKind.PUSH])
            tag("span", words.t("notify.kind_push"))
        button.on("click", self._subscribed, js_handler=SUBSCRIBE)

    async def _typed(self, kind: ChannelKind, event: GenericEventArguments) -> None:
        typed = [str(value) for value in event.args]
        if kind is ChannelKind.EMAIL:
            await self._save(Wanted(kind=kind, email=typed[0]))
        else:
            await self._save(Wanted(kind=kind, name=typed[0], url=typed[1]))

    async def _subscribed(self, event: GenericEventArguments) -> None:
        given: dict[str, Any] = event.args if isinstance(event.args, dict) else {}
        keys = given.get("keys")
        if not isinstance(keys, dict):
            self._wrong.set_text(self._page.words.code("notify_push", str(given.get("why", "")), "failed"))
            return
        name = described(self._page.client.request.headers.get("user-agent", ""))
        url, p256dh, auth = (str(one) for one in (given.get("endpoint"), keys.get("p256dh"), keys.get("auth")))
        await self._save(Wanted(kind=ChannelKind.PUSH, name=name, url=url, p256dh=p256dh, auth=auth))

    async def _save(self, wanted: Wanted) -> None:
        words = self._page.words
        try:
            saved = await self._page.services.channels.save(new_channel_id(), wanted, user=self._page.user)
        except REFUSALS as error:
            self._wrong.set_text(words.code("error", error.code, "bad_input"))
            return
        locale, zone = words.locale, words.zone.key
        await self._page.services.channels.remember_reader(user=self._page.user_id, locale=locale, timezone=zone)
        self._wrong.set_text("")
        self._page.client.run_javascript(EMPTY)
        self._show_key(saved)
        self._page.toasts.show(words.t("notify.added"), "ok")
        await self._saved()

    def _show_key(self, saved: Saved) -> None:
        """Show a new signing key, this once."""
        self._key.clear()
        if not saved.signing_key:
            return
        words = self._page.words
        with self._key, tag("div", classes="note ok", role="status"):
            icon("key")
            with tag("span"):
                tag("b", words.t("notify.signing_key"))
                tag("p", words.t("notify.signing_key_text"))
                tag("code", saved.signing_key, classes="wrap", testid="signing-key")
