"""The verdict about a case of a test run: every check is judged from facts, and says what it found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.domain.agent_tests import Case, Check, CheckKind, CheckResult, check_pattern
from core.domain.errors import BadInput
from core.domain.events import AnyEvent, Text, ToolCalled, ToolReturned
from core.domain.records import Connection
from core.domain.runs import Run
from core.domain.states import RunState

K = CheckKind
EVIDENCE_CHARS: Final = 300
LINES, LINE_CHARS = 2000, 2000  # of a text that a pattern is looked for in
EXIT = re.compile(r"\A(?:Error: )?Exit code (\d{1,3})\b")
HOSTS: Final = 5  # named as evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about the run of a case. `files` has the text of each file that a check names; None: there is none."""

    run: Run
    events: Sequence[AnyEvent]
    connections: Sequence[Connection]
    files: Mapping[str, str | None]

    @property
    def answer(self) -> str:
        """All that the agent said."""
        return "\n\n".join(event.text for event in self.events if isinstance(event, Text))


def verdicts(case: Case, facts: Facts) -> list[CheckResult]:
    """Judge all checks but those that a model judges. Two belong to every case: it ended well, and it kept to its
    hosts.
    """
    own = [_judge(check, facts) for check in case.checks if check.kind not in (K.JUDGED, K.ENDED, K.ONLY_HOSTS)]
    return [*own, _ended(facts.run), _only_hosts(facts.connections)]


def _judge(check: Check, facts: Facts) -> CheckResult:
    if check.kind is K.EXIT_CODE:
        return _exit_code(check, facts)
    text = facts.files.get(check.path) if check.path else facts.answer
    if check.kind is K.FILE_EXISTS:
        return _result(check, text is not None)
    if text is None:
        return _result(check, False)  # the file that it is about is not there
    match check.kind:
        case K.CONTAINS:
            return _result(check, check.text in text, "" if check.text in text else text)
        case K.LACKS:
            return _result(check, check.text not in text, _around(text, check.text))
    return _matches(check, text)


def _matches(check: Check, text: str) -> CheckResult:
    try:
        pattern = check_pattern(check.text)
    except BadInput as error:
        return _result(check, False, str(error))
    for line in text.splitlines()[:LINES]:
        if found := pattern.search(line[:LINE_CHARS]):
            return _result(check, True, found[0])
    return _result(check, False, text)


def _exit_code(check: Check, facts: Facts) -> CheckResult:
    """The exit code of the last command that the agent ran."""
    commands = {event.id for event in facts.events if isinstance(event, ToolCalled) and event.name == "Bash"}
    last = next((e for e in reversed(facts.events) if isinstance(e, ToolReturned) and e.id in commands), None)
    if last is None:
        return _result(check, False)
    said = EXIT.match(last.content)
    code = int(said[1]) if said else 0 if last.ok else -1
    return _result(check, code == check.code, str(code) if code >= 0 else last.content)


def _ended(run: Run) -> CheckResult:
    passed = run.state is RunState.SUCCEEDED
    return CheckResult(kind=K.ENDED, passed=passed, evidence="" if passed else run.reason)


def _only_hosts(connections: Sequence[Connection]) -> CheckResult:
    refused = [one.host for one in connections if one.decision == "refused"]
    named = refused or [one.host for one in connections]
    return CheckResult(kind=K.ONLY_HOSTS, passed=not refused, evidence=", ".join(dict.fromkeys(named[:HOSTS])))


def _result(check: Check, passed: bool, evidence: str = "") -> CheckResult:
    """The result with what was found. What is in a file is not shown: it may be a secret, and nobody masks it."""
    return CheckResult(
        kind=check.kind,
        passed=passed,
        text=check.text,
        path=check.path,
        code=check.code,
        evidence="" if check.path else _cut(evidence),
    )


def _around(text: str, wanted: str) -> str:
    at = text.find(wanted)
    return text[max(0, at - 60) : at + len(wanted) + 60] if at >= 0 else ""


def _cut(text: str) -> str:
    line = text.strip()
    return line if len(line) <= EVIDENCE_CHARS else line[:EVIDENCE_CHARS] + "…"
