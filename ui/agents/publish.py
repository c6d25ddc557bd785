"""The sheet that publishes an agent: what a new version changes, a line about it, and the button."""

from collections.abc import Awaitable, Callable

from nicegui.events import GenericEventArguments

from core.domain.visible_text import visible
from core.protocol.versions_api import NOTE_CHARS
from ui.agents.sections.section import VALUE
from ui.agents.view import FIELDS, AgentView
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame


class PublishSheet:
    """Opened by the button in the head. A permission that has grown since the last version is said in words."""

    def __init__(self, page: PageFrame, agent: str, *, done: Callable[[], Awaitable[None]]) -> None:
        self._page, self._agent, self._done = page, agent, done
        self._note = ""
        self._place = tag("div", id="publish-sheet")

    def toggle(self, view: AgentView) -> None:
        """Open the sheet, or close it."""
        was_open = bool(self._place.default_slot.children)
        self._place.clear()
        if not was_open:
            with self._place:
                self._draw(view)

    def _draw(self, view: AgentView) -> None:
        words, number = self._page.words, (view.versions[0].number if view.versions else 0) + 1
        with tag("section", classes="card sheet", testid="publish-sheet", aria_labelledby="publish-title"):
            tag("h2", words.t("agent.publish_title", number=number), id="publish-title")
            changed = [words.t(f"agent.{name}") for name in FIELDS if name in view.changed]
            if view.published and changed:
                tag("p", words.t("agent.publish_changes", names=", ".join(changed)))
            elif view.published:
                tag("p", words.t("agent.publish_files"), classes="meta")
            for text in widened(view, self._page):
                with tag("p", classes="row warn"):
                    icon("alert")
                    tag("span", text, classes="wrap")
            if view.red:
                with tag("p", classes="row bad", testid="publish-risk"):
                    icon("alert")
                    tag("span", words.t("tests.publish_risk", names=", ".join(map(visible, view.red))), classes="wrap")
            tag("p", words.t("agent.publish_text"), classes="meta")
            tag("label", words.t("agent.publish_note"), for_="publish-note", classes="meta")
            note = tag(
                "input", classes="input full", id="publish-note", maxlength=str(NOTE_CHARS), testid="publish-note"
            )
            note.on("input", self._on_note, js_handler=VALUE)
            label, kind = ("tests.publish_red", "btn") if view.red else ("agent.publish", "btn primary")
            button = tag("button", words.t(label), classes=kind, type="button")
            button.attributes(testid="publish-now").on("click", self._publish, args=[])

    def _on_note(self, event: GenericEventArguments) -> None:
        self._note = str(event.args)[:NOTE_CHARS]

    async def _publish(self) -> None:
        version = await self._page.services.versions.publish(self._agent, user=self._page.user_id, note=self._note)
        self._place.clear()
        self._note = ""
        self._page.toasts.show(self._page.words.t("agent.published_now", number=version.number), "ok")
        await self._done()


def widened(view: AgentView, page: PageFrame) -> list[str]:
    """Say in sentences what the agent may do now and could not when its last version was published."""
    if (published := view.published) is None:
        return []
    old, new, words = published.definition, view.definition, page.words
    return [
        words.t(f"agent.wider_{name}", names=", ".join(more))
        for name in ("rules", "egress", "secrets")
        if (more := [one for one in getattr(new, name) if one not in getattr(old, name)])
    ]
