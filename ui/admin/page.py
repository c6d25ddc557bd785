"""`/admin`, for administrators only: users, the isolation of their boxes, the audit log, the announcement."""

from collections.abc import AsyncIterator

from nicegui import app
from nicegui.events import GenericEventArguments
from starlette.requests import Request
from starlette.responses import StreamingResponse

from core.domain.audit import AuditAction
from core.domain.records import UserId, now
from core.services.announcements import CHARS
from core.spawner import Layer
from ui.admin.audit_log import AuditLog
from ui.admin.users import Users
from ui.layout.html import icon, tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services

TYPED = "(event) => emit(event.currentTarget.closest('section').querySelector('textarea').value)"


class Announce:
    """The section in which an administrator writes the announcement."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        words = page.words
        with tag("section", classes="part", aria_labelledby="announce"):
            tag("h2", words.t("admin.announce"), id="announce")
            tag("label", words.t("admin.announce_text"), for_="announcement", classes="meta")
            # as its text, not its `value`: Vue sets that again with every change of the page, over what is being typed
            area = tag("textarea", page.services.announcements.text, classes="input area", id="announcement")
            area.attributes(testid="announcement", maxlength=CHARS, rows=2)
            with tag("div", classes="row"):
                say = tag("button", words.t("admin.announce_do"), classes="btn", type="button", testid="announce")
                say.on("click", self._announce, js_handler=TYPED)
                stop = self._stop = tag("button", words.t("admin.announce_end"), classes="btn ghost", type="button")
                stop.attributes(testid="announce-end").on("click", self._end, args=[])

        page.client.on_delete(page.services.announcements.watch(self._changed))

    def _changed(self, text: str) -> None:
        """Show the button that ends the announcement only while there is one."""
        self._stop.set_visibility(bool(text))

    async def _announce(self, event: GenericEventArguments) -> None:
        await self._page.services.people.admin(self._page.user_id)
        await self._page.services.announcements.announce(str(event.args), by=self._page.user_id)
        self._page.toasts.show(self._page.words.t("admin.announced"))

    async def _end(self) -> None:
        await self._page.services.people.admin(self._page.user_id)
        await self._page.services.announcements.announce("", by=self._page.user_id)


def _isolation(page: PageFrame) -> None:
    words, isolation = page.words, page.services.isolation()
    with tag("section", classes="part", aria_labelledby="isolation"):
        tag("h2", words.t("admin.isolation"), id="isolation")
        with tag("p", classes="row", testid="isolation", data_name=isolation.name):
            icon("alert" if isolation.missing else "lock")
            tag("span", isolation.name, classes="b")
        tag("p", words.t("admin.layers_text"), classes="meta")
        with tag("ul", classes="rows"):
            for layer in isolation.layers:
                with tag("li", classes="line", testid=f"layer-{layer.number}", data_live=str(layer.live).lower()):
                    if layer.why == "not_needed":
                        icon("info")
                    else:
                        icon("check", "ok") if layer.live else icon("alert", "warn")
                    tag("span", layer.number, classes="mono")
                    tag("span", _layer(words, layer), classes="grow")
                    if layer.mend:
                        tag("code", layer.mend, classes="mono")


def _layer(words: Translations, layer: Layer) -> str:
    name = words.t(f"layer.{layer.id}")
    return name if layer.live else f"{name} · {words.code('layer.why', layer.why, 'broken')}"


def install(services: Services) -> None:
    """Serve the page and the audit log; for users who are no administrators both answer 404."""

    @screen("/admin")
    async def admin() -> None:
        await services.people.admin(UserId(services.auth.current().id))
        with frame(services, title="admin.title") as page:
            with tag("div", classes="page narrow settings"):
                tag("h1", page.words.t("admin.title"))
                users = Users(page)
                Announce(page)
                _isolation(page)
                log = AuditLog(page)
                await users.refresh()
                await log.refresh()

    @app.get("/admin/audit.jsonl")
    async def audit(request: Request) -> StreamingResponse:
        user = services.auth.user_of(request)
        await services.people.admin(user.user_id)
        await services.audit.record(AuditAction.AUDIT_EXPORTED, who=user.id)
        headers = {"Content-Disposition": f'attachment; filename="audit-{now():%Y-%m-%d}.jsonl"'}
        lines: AsyncIterator[bytes] = services.audit.lines()
        return StreamingResponse(lines, media_type="application/jsonl", headers=headers)
