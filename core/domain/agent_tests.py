"""Test cases of an agent: what it is told, what a good answer has, what must not happen, and what came of it.

A case is a file `tests/<name>.toml` in the agent's folder. Checks are data; each is judged by the platform, but for
`judged`, about which a model decides, and whose words are shown as the model's.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from core.domain.agent_definition import TEST_NAME
from core.domain.errors import BadInput
from core.domain.records import Record, UserId
from core.domain.runs import DRAFT

CASES: Final = 10  # of one test run
CHECKS: Final = 12  # of one case
TEXT_CHARS: Final = 2000
PATTERN_CHARS: Final = 200
FOLDER: Final = "tests"


class CheckKind(StrEnum):
    """The kinds of checks. `ended` and `only_hosts` belong to every case, whether it has them or not."""

    CONTAINS = "contains"
    LACKS = "lacks"
    MATCHES = "matches"
    FILE_EXISTS = "file_exists"
    EXIT_CODE = "exit_code"
    JUDGED = "judged"
    ENDED = "ended"
    ONLY_HOSTS = "only_hosts"


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check. `text` is the wanted text, the pattern or the rubric; `path` the file that it is about, else the
    answer is meant."""

    kind: CheckKind
    text: Annotated[str, Meta(max_length=TEXT_CHARS)] = ""
    path: Annotated[str, Meta(max_length=300)] = ""
    code: int = 0


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case. `name` is that of its file; `expect` and `never` are for people and for the model that judges."""

    name: Annotated[str, Meta(max_length=60, description="Short, of letters, digits and -: it names the file.")] = ""
    title: Annotated[str, Meta(max_length=100)] = ""
    input: Annotated[str, Meta(max_length=TEXT_CHARS)] = ""
    expect: Annotated[str, Meta(max_length=TEXT_CHARS, description="What a good answer has.")] = ""
    never: Annotated[str, Meta(max_length=TEXT_CHARS, description="What must not happen.")] = ""
    checks: Annotated[tuple[Check, ...], Meta(max_length=CHECKS)] = ()


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a check. `evidence` is the text that was found; where a model judged, it is the model's words."""

    kind: CheckKind
    passed: bool
    text: str = ""
    path: str = ""
    code: int = 0
    evidence: str = ""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a case. `files` are those that the run made or changed, with their sizes in bytes."""

    case: Case
    state: Literal["passed", "failed"]
    happened: str = ""
    checks: tuple[CheckResult, ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    run: str = ""
    cost_usd: float = 0.0
    seconds: float = 0.0


class AgentTestRun(Record, frozen=True, kw_only=True):
    """Some cases of an agent, run once. `problem` is the code of why nothing could be run, `detail` says more.

    `prepared`: the cases are complete, and those that were given with it are in the agent's folder.
    """

    agent: str
    version: int | str = DRAFT
    cases: tuple[Case, ...] = ()
    only: str = ""
    results: tuple[CaseResult, ...] = ()
    problem: str = ""
    detail: str = ""
    prepared: bool = False
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def passed(self) -> int:
        """The number of cases that passed."""
        return sum(one.state == "passed" for one in self.results)


class OpenTestRun(Record, frozen=True, kw_only=True):
    """The platform's own note of a test run that has not ended, with the same id, so that any web works it off."""

    user: UserId
    agent: str
    created_at: datetime


def check_cases(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Return the cases if they can be kept. Raises: BadInput: which case cannot, and why."""
    if len(cases) > CASES or len({one.name for one in cases}) != len(cases):
        raise BadInput(f"there are at most {CASES} cases, each with a name of its own")
    for case in cases:
        if not TEST_NAME.fullmatch(case.name):
            raise BadInput(f"{case.name!r} names no case: letters, digits, - and _")
        if not case.input.strip():
            raise BadInput(f"the case {case.name} has no input")
        for check in case.checks:
            _check_one(check, case.name)
    return cases


def _check_one(check: Check, case: str) -> None:
    needs_text = check.kind in (CheckKind.CONTAINS, CheckKind.LACKS, CheckKind.MATCHES, CheckKind.JUDGED)
    if needs_text and not check.text.strip():
        raise BadInput(f"a check {check.kind} of the case {case} has no text")
    if check.kind is CheckKind.FILE_EXISTS and not check.path:
        raise BadInput(f"a check file_exists of the case {case} has no path")
    if check.kind is CheckKind.MATCHES:
        check_pattern(check.text)


# A pattern is the agent's word, and the platform runs it: whatever can take more than quadratic time is not taken.
_UNBOUNDED: Final = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\})")
_DANGEROUS: Final = re.compile(r"\)[*+?{]|\\[1-9]|\(\?(?![:i])|\(\?[a-z]*\)")


def check_pattern(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern. Raises: BadInput: it is none, or could take too long."""
    if len(pattern) > PATTERN_CHARS or len(_UNBOUNDED.findall(pattern)) > 2 or _DANGEROUS.search(pattern):
        raise BadInput(
            f"a pattern has at most {PATTERN_CHARS} characters and two of * and +, and repeats no group: {pattern!r}"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise BadInput(f"{pattern!r} is no pattern: {error}") from error


def read_case(name: str, text: str) -> Case:
    """Read a file of `tests/`. Raises: BadInput: it is no case; the text names it and says why."""
    try:
        found: Case = msgspec.toml.decode(text, type=Case)
        return check_cases((msgspec.structs.replace(found, name=name),))[0]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadInput) as error:
        raise BadInput(f"{FOLDER}/{name}.toml: {error}") from error


def as_file(case: Case) -> Mapping[str, Any]:
    """Return the content of the case's file as plain values; its name is the file's."""
    plain: dict[str, Any] = msgspec.to_builtins(case)
    plain.pop("name", None)
    return plain
