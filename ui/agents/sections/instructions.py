"""The section with an agent's instructions: the file CLAUDE.md in its folder."""

from core.domain.errors import Conflict
from core.protocol.versions_api import INSTRUCTIONS_CHARS
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import tag

LINES = 14  # shown at first; the rest folds away
ROWS = 16


class InstructionsSection(Section):
    """The text itself is the truth: it is saved over the text that the form was filled from, or not at all."""

    key = "instructions"
    open_at_first = True

    def summary(self, view: AgentView) -> str:
        return view.instructions.text.strip().split("\n", 1)[0].lstrip("# ") or self.words.t("agent.no_instructions")

    def body(self, view: AgentView) -> None:
        text = view.instructions.text
        lines = text.split("\n")
        if not text.strip():
            tag("p", self.words.t("agent.no_instructions"), classes="meta")
        elif len(lines) <= LINES:
            tag("pre", text, classes="plain", testid="instructions")
        else:
            tag("pre", "\n".join(lines[:LINES]), classes="plain", testid="instructions")
            with tag("details", classes="rest"):
                tag("summary", self.words.t("agent.all_lines", n=len(lines)))
                tag("pre", "\n".join(lines[LINES:]), classes="plain")
        if view.instructions.cut:
            tag("p", self.words.t("agent.instructions_cut"), classes="meta")

    def form(self, view: AgentView) -> None:
        self._etag, self._before = view.instructions.etag, view.instructions.text
        self.text("instructions", self._before, area=True, rows=ROWS, most=INSTRUCTIONS_CHARS).classes("mono")

    async def submit(self) -> None:
        text = self.typed.get("instructions")
        if text is None or text == self._before:
            self.close()
        else:
            await self._write(text, self._etag)

    async def _write(self, text: str, etag: str) -> None:
        versions, user = self.page.services.versions, self.page.user_id
        try:
            await versions.write_instructions(self.agent, text, etag, user=user)
        except Conflict as error:
            if error.code != "instructions_changed":
                raise
            there = await versions.instructions(self.agent, user=user)

            async def use_mine() -> None:
                await self._write(text, there.etag)

            self.show_conflict(there.text, text, use_mine=use_mine)
            return
        await self.saved()
