"""The practice builder's last steps: a secret, tests, a schedule and the publication, where the wish asks for them.

They follow from the wish: a time of day in it makes the agent one that works by itself, and only such an agent is
tested and published without having been told to.
"""

import re
from dataclasses import dataclass

import msgspec

from core.domain.plain_schedules import read
from core.gateway.practice.conversation import ChatHistory, Language, PastToolUse
from core.gateway.practice.phrasebook import HandoverSentences, phrasebook
from core.gateway.practice.project import Project
from core.gateway.practice.tool_uses import Step, ToolUseBlock, note_of
from core.protocol import platform_tools as ours
from core.tools.try_agent import TryReport

ZONES: dict[Language, str] = {"ko": "Asia/Seoul", "en": "UTC"}
STEPS = {
    Step.SECRET: ours.REQUEST_SECRET_TOOL,
    Step.TRY: ours.TRY_AGENT_TOOL,
    Step.SCHEDULE: ours.PROPOSE_SCHEDULE_TOOL,
    Step.PUBLISH: ours.PUBLISH_AGENT_TOOL,
}
LINE_CHARS = 60  # of the script's output that a test looks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Chooses the last steps of a project, and makes the calls for them."""

    conversation: ChatHistory
    project: Project
    calls: tuple[PastToolUse, ...]

    def wants(self, step: Step) -> bool:
        """Return whether the wish asks for this step and the session has the tool for it."""
        if STEPS[step] not in self.conversation.tools:
            return False
        if step is Step.SECRET:
            return bool(self._secret()) and bool(self.when)
        return bool(self.when)

    @property
    def when(self) -> str:
        """The time in the wish, in words; empty if there is none."""
        return time_in(f"{self.project.wish}\n{self.project.answer}")

    def use(self, step: Step) -> ToolUseBlock | None:
        """The call that this step needs; None if nothing can be called."""
        if STEPS[step] not in self.conversation.tools:
            return None
        match step:
            case Step.SECRET if secret := self._secret():
                return ToolUseBlock(name=STEPS[step], input={"name": secret[0], "why": secret[1]})
            case Step.TRY:
                return ToolUseBlock(name=STEPS[step], input={"cases": self._cases()})
            case Step.SCHEDULE if when := self._proposed():
                return ToolUseBlock(name=STEPS[step], input=self._schedule(when))
            case Step.PUBLISH:
                return ToolUseBlock(name=STEPS[step], input={"note": self._words.publish_note})
        return None

    def another_time(self, denied: PastToolUse) -> bool:
        """Return whether a person declined a schedule and named another time."""
        when = time_in(note_of(denied.result))
        return bool(when) and when != denied.input.get("when")

    def red(self) -> str:
        """The titles of the cases that failed in the last test; empty if it is green, or if there was none."""
        tests = [call for call in self.calls if call.name == STEPS[Step.TRY]]
        if not tests or tests[-1].outcome != "ok":
            return tests[-1].result if tests and tests[-1].outcome == "failed" else ""
        try:
            report = msgspec.json.decode(tests[-1].result, type=TryReport)
        except msgspec.DecodeError:
            return ""
        failed = (one.case.title or one.case.name for one in report.results if one.state == "failed")
        return ", ".join(failed)

    def _schedule(self, when: str) -> dict[str, str]:
        return {"when": when, "timezone": ZONES[self.project.language], "input": self._words.run_input}

    def _proposed(self) -> str:
        """The time that is proposed: that of the last refusal, if it had one, else that of the wish."""
        for call in reversed(self.calls):
            if call.name == STEPS[Step.SCHEDULE] and call.outcome == "denied" and self.another_time(call):
                return time_in(note_of(call.result))
        return self.when

    def _cases(self) -> list[dict[str, object]]:
        words = self._words
        runs = [call for call in self.calls if call.name == "Bash" and call.outcome == "ok"]
        line = next((line.strip() for line in runs[-1].result.splitlines() if line.strip()), "") if runs else ""
        found = [{"kind": "contains", "text": line[:LINE_CHARS]}] if line else []
        return [
            {
                "name": "sample",
                "title": words.case_title,
                "input": words.run_input,
                "expect": words.case_expect,
                "never": words.case_never,
                "checks": [*found, {"kind": "exit_code"}, {"kind": "lacks", "text": "Traceback"}],
            },
            {
                "name": "nothing-to-do",
                "title": words.quiet_title,
                "input": words.quiet_input,
                "expect": words.quiet_expect,
                "checks": [{"kind": "lacks", "text": "Traceback"}, {"kind": "judged", "text": words.quiet_rubric}],
            },
        ]

    def _secret(self) -> tuple[str, str] | None:
        """Name and reason of the secret that the wish needs."""
        text = f"{self.project.wish}\n{self.project.answer}".lower()
        for secret in phrasebook().languages[self.project.language].secrets:
            if re.search(secret.words, text):
                return secret.name, secret.why
        return None

    @property
    def _words(self) -> HandoverSentences:
        return phrasebook().languages[self.project.language].handover


def time_in(text: str) -> str:
    """The words of a text that name a time at which something recurs, as they stand there; empty if none do."""
    for language in phrasebook().languages.values():
        if (found := re.search(language.recurs, text, re.IGNORECASE)) and read(found[0]):
            return " ".join(found[0].split())
    return ""
