"""The section with an agent's versions: what each changed, and the way back to one of them."""

from functools import partial
from typing import Any

import msgspec
from nicegui import ui

from core.domain.agent_versions import AgentVersion
from core.protocol.versions_api import FileChange
from core.services.agent_versions import VersionDiff
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import Tag, tag
from ui.transcript.diff import SIGNS, lines, near

LINES = 60  # of one file's comparison
SHOWN = 50


class VersionsSection(Section):
    """The draft is the first row while it differs from the published version."""

    key = "versions"
    editable = False

    def summary(self, view: AgentView) -> str:
        if (published := view.published) is None:
            return self.words.t("agent.never_published")
        note = f" · {published.note}" if published.note else ""
        return self.words.t("agent.version_in_use", number=published.number) + note

    def body(self, view: AgentView) -> None:
        with tag("div", classes="row"):
            export = tag("a", self.words.t("agent.export"), classes="btn sm", testid="export", download=True)
            export.attributes(href=f"/api/v1/agents/{self.agent}/export?version={view.agent.published}")
            copy = tag("button", self.words.t("agent.duplicate"), classes="btn sm", type="button", testid="duplicate")
            copy.on("click", self._duplicate, args=[])
        if not view.versions:
            tag("p", self.words.t("agent.versions_text"), classes="meta")
        for version in view.versions[:SHOWN]:
            self._row(version, view)

    def _row(self, version: AgentVersion, view: AgentView) -> None:
        words, used = self.words, version.number == view.agent.published
        with tag("div", classes="ver", testid="version-row", data_version=str(version.number)):
            with tag("div", classes="l"):
                tag("span", f"v{version.number}", classes="v")
                tag("span", version.note or words.t("agent.no_note"), classes="grow cut")
                if used:
                    tag("span", words.t("agent.in_use"), classes="chip ok")
                place = tag("div", classes="diff-place")
                self._button("compare", version, partial(self._compare, version.number, place))
                self._button("restore", version, partial(self._restore, version.number))
                if not used:
                    self._button("use", version, partial(self._use, version.number))
                tag("span", words.when(version.created_at), classes="meta nowrap", title=words.full(version.created_at))
            if version.left_out:
                left = ", ".join(version.left_out[:5])
                tag("p", words.t("agent.left_out", n=len(version.left_out), names=left), classes="meta wrap")
        place.move(self._body)

    def _button(self, act: str, version: AgentVersion, call: Any) -> Tag:
        button = tag("button", self.words.t(f"agent.{act}"), classes="btn ghost sm", type="button")
        label = self.words.t(f"agent.{act}_one", number=version.number)
        return button.attributes(testid=f"version-{act}", aria_label=label).on("click", call, args=[])

    async def _duplicate(self) -> None:
        made = await self.page.services.transfer.duplicate(self.agent, user=self.page.user_id)
        ui.navigate.to(f"/agents/{made.id}")

    async def _use(self, number: int) -> None:
        await self.page.services.versions.use(self.agent, number, user=self.page.user_id)
        self.page.toasts.show(self.words.t("agent.used", number=number), "ok")
        await self.saved()

    async def _restore(self, number: int) -> None:
        await self.page.services.versions.restore(self.agent, number, user=self.page.user_id)
        self.page.toasts.show(self.words.t("agent.restored", number=number), "ok")
        await self.saved()

    async def _compare(self, number: int, place: Tag) -> None:
        found = await self.page.services.versions.diff(self.agent, number, None, user=self.page.user_id)
        place.clear()
        with place:
            self._diff(number, found)

    def _diff(self, number: int, found: VersionDiff) -> None:
        words = self.words
        with tag("div", classes="words", testid="version-diff"):
            tag("p", words.t("agent.diff_title", number=number), classes="meta")
            if not found.fields and not found.files:
                tag("p", words.t("agent.diff_none"))
            for field in found.fields:
                with tag("p", classes="wrap"):
                    tag("b", words.code("agent_field", field.name, "other"))
                    tag("del", _told(field.before))
                    tag("ins", _told(field.after))
            for change in found.files:
                self._file(change)
            if found.more_files:
                tag("p", words.t("agent.diff_more", n=found.more_files), classes="meta")

    def _file(self, change: FileChange) -> None:
        with tag("details"):
            with tag("summary"):
                tag("code", change.path)
                tag("span", self.words.t(f"agent.file_{change.status}"), classes="meta")
            if change.before is None and change.after is None:
                tag("p", self.words.t("agent.diff_binary"), classes="meta")
                return
            shown = near(lines(change.before or "", change.after or ""))
            with tag("div", classes="block"), tag("div", classes="diff"):
                for line in shown[:LINES]:
                    with tag("div", classes=line.kind):
                        tag("span", SIGNS[line.kind])
                        tag("span", line.text)
            if len(shown) > LINES:
                tag("p", self.words.t("agent.diff_more_lines", n=len(shown) - LINES), classes="meta")


def _told(value: object) -> str:
    if isinstance(value, str):
        return value or "–"
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "–"
    return msgspec.json.encode(value).decode()
