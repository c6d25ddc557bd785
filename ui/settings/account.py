"""Export of all data of a user, and deletion of the account."""

import unicodedata
from collections.abc import AsyncGenerator
from contextlib import aclosing

from nicegui import app, ui
from nicegui.events import GenericEventArguments
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from core.domain.audit import AuditAction
from core.domain.records import now
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame
from ui.layout.services import Services

SEEN = "event => event.target.open && event.target.scrollIntoView({block: 'nearest'})"  # at the foot of the page
TYPED = "(event) => emit(event.currentTarget.closest('details').querySelector('input').value)"


class AccountSection:
    """The last two sections of /settings."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        words = page.words
        with tag("section", classes="part", aria_labelledby="export"):
            tag("h2", words.t("settings.export"), id="export")
            tag("p", words.t("settings.export_text"), classes="meta")
            with tag("form", method="post", action="/settings/export"):
                with tag("button", classes="btn", type="submit", testid="export"):
                    icon("download")
                    tag("span", words.t("settings.export_do"))
        with tag("section", classes="part", aria_labelledby="leave"):
            tag("h2", words.t("settings.delete"), id="leave")
            tag("p", words.t("settings.delete_text"), classes="meta")
            with tag("details", classes="doom").on("toggle", js_handler=SEEN):
                tag("summary", words.t("settings.delete_open"), classes="btn", testid="delete-account-open")
                self._body = tag("div", classes="sure")

    async def refresh(self) -> None:
        """Say how many agents, sessions and secrets would be deleted."""
        holdings = await self._page.services.account.holdings(self._page.user_id)
        words = self._page.words
        self._body.clear()
        with self._body:
            agents = words.t("settings.delete_agents", n=holdings.agents)
            sessions = words.t("settings.delete_sessions", n=holdings.sessions)
            tag("p", words.t("settings.delete_will", agents=agents, sessions=sessions))
            phrase = words.t("settings.delete_phrase")
            tag("label", words.t("settings.delete_type", phrase=phrase), for_="phrase", classes="meta")
            with tag("div", classes="row"):
                tag("input", classes="input grow", id="phrase", type="text", autocomplete="off", testid="delete-phrase")
                gone = tag("button", words.t("settings.delete_do"), classes="btn danger", type="button")
                gone.attributes(testid="delete-account").on("click", self._delete, js_handler=TYPED)
            self._wrong = tag("p", classes="bad", role="alert")

    async def _delete(self, event: GenericEventArguments) -> None:
        words = self._page.words
        if _plain(str(event.args)) != _plain(phrase := words.t("settings.delete_phrase")):
            self._wrong.set_text(words.t("settings.delete_wrong", phrase=phrase))
            return
        await self._page.services.account.delete(self._page.user_id)
        ui.navigate.to("/login")


def _plain(text: str) -> str:
    """The text in one Unicode form, because keyboards compose Hangul differently."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


class _Download(StreamingResponse):
    """The pieces of the archive; it is released at once when the browser disconnects."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        self._rest = rest
        name = f"oh-my-agent-{now():%Y-%m-%d}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        super().__init__(_chain(first, rest), media_type="application/zip", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):
            await super().__call__(scope, receive, send)


async def _chain(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for piece in rest:
        yield piece


def install(services: Services) -> None:
    """Serve the archive. It takes a POST, so that no other site can start an export."""

    @app.post("/settings/export")
    async def export(request: Request) -> StreamingResponse:
        user = services.auth.user_of(request)
        pieces = services.export.of(user.user_id)
        first = await anext(pieces)  # what can be refused is refused before the answer begins
        await services.audit.record(AuditAction.EXPORTED, who=user.id)
        return _Download(first, pieces)
