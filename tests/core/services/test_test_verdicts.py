"""Every kind of check: green for what it wants, red for the right reason, and never with what is in a file."""

from typing import Any

import pytest

from core.domain.agent_tests import Case, Check, CheckKind, CheckResult, check_cases, read_case
from core.domain.errors import BadInput
from core.domain.events import AnyEvent, Text, ToolCalled, ToolReturned
from core.domain.records import Connection, now
from core.domain.runs import Run, TriggerKind
from core.domain.states import RunState
from core.services.test_verdicts import Facts, verdicts

K = CheckKind


def facts(*events: AnyEvent, state: RunState = RunState.SUCCEEDED, hosts: tuple[str, ...] = (), **files: Any) -> Facts:
    at = now()
    run = Run(id="r", agent="a", trigger_kind=TriggerKind.TEST, trigger="t", at=at, created_at=at, state=state,
              reason="ok" if state is RunState.SUCCEEDED else "runner_lost")  # fmt: skip
    connections = [
        Connection(id=str(n), agent="a", session="s", host=host.lstrip("!"), port=443, updated_at=at,
                   decision="refused" if host.startswith("!") else "connected")
        for n, host in enumerate(hosts)
    ]  # fmt: skip
    return Facts(run=run, events=events, connections=connections, files=files)


def said(text: str) -> Text:
    return Text(message="m", block=0, text=text)


def bash(id: str, content: str, *, ok: bool = True) -> tuple[AnyEvent, AnyEvent]:
    return ToolCalled(id=id, name="Bash", input={"command": "x"}), ToolReturned(id=id, ok=ok, content=content)


def judged(kind: K, given: Facts, **check: Any) -> CheckResult:
    own, *_ = verdicts(Case(name="c", checks=(Check(kind=kind, **check),)), given)
    return own


@pytest.mark.parametrize(
    ("kind", "check", "given", "passed"),
    [
        (K.CONTAINS, {"text": "#479"}, facts(said("see #479")), True),
        (K.CONTAINS, {"text": "#480"}, facts(said("see #479")), False),
        (K.CONTAINS, {"text": "x", "path": "f"}, facts(said("x"), f=None), False),
        (K.CONTAINS, {"text": "x", "path": "f"}, facts(f="axb"), True),
        (K.LACKS, {"text": "secret"}, facts(said("fine")), True),
        (K.LACKS, {"text": "secret"}, facts(said("a secret thing")), False),
        (K.LACKS, {"text": "x", "path": "f"}, facts(f=None), False),
        (K.MATCHES, {"text": "#[0-9]+"}, facts(said("one\nsee #479")), True),
        (K.MATCHES, {"text": "#[0-9]+"}, facts(said("see #x")), False),
        (K.MATCHES, {"text": "(a+)+$"}, facts(said("aaa")), False),
        (K.FILE_EXISTS, {"path": "f"}, facts(f=""), True),
        (K.FILE_EXISTS, {"path": "f"}, facts(f=None), False),
        (K.EXIT_CODE, {}, facts(*bash("1", "Exit code 2", ok=False), *bash("2", "done")), True),
        (K.EXIT_CODE, {}, facts(*bash("1", "done"), *bash("2", "Exit code 2\noh", ok=False)), False),
        (K.EXIT_CODE, {"code": 2}, facts(*bash("1", "Exit code 2\noh", ok=False)), True),
        (K.EXIT_CODE, {}, facts(*bash("1", "The user does not want this.", ok=False)), False),
        (K.EXIT_CODE, {}, facts(said("nothing ran")), False),
    ],
)
def test_a_check_says_what_is_so(kind: K, check: dict[str, Any], given: Facts, passed: bool) -> None:
    assert judged(kind, given, **check).passed is passed


def test_every_case_has_to_end_well_and_keep_to_its_hosts() -> None:
    ended, hosts = verdicts(Case(name="c"), facts(hosts=("api.example.com", "api.example.com")))
    assert (ended.passed, hosts.passed, hosts.evidence) == (True, True, "api.example.com")
    ended, hosts = verdicts(Case(name="c"), facts(state=RunState.FAILED, hosts=("a.example", "!evil.example")))
    assert (ended.kind, ended.passed, ended.evidence) == (K.ENDED, False, "runner_lost")
    assert (hosts.kind, hosts.passed, hosts.evidence) == (K.ONLY_HOSTS, False, "evil.example")


def test_a_red_check_quotes_the_answer_but_never_a_file() -> None:
    assert "see #479" in judged(K.CONTAINS, facts(said("see #479")), text="#480").evidence
    for kind in (K.CONTAINS, K.LACKS, K.MATCHES):
        assert judged(kind, facts(f="token=canary"), text="canary|y", path="f").evidence == ""


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|b)*", "a.*b.*c.*", r"(a)\1", "(?=a)", "[", "x" * 201, "(?s).*"])
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput):
        check_cases((Case(name="c", input="i", checks=(Check(kind=K.MATCHES, text=pattern),)),))


@pytest.mark.parametrize("case", [Case(name="../x", input="i"), Case(name="", input="i"), Case(name="c"),
                                  Case(name="c", input="i", checks=(Check(kind=K.FILE_EXISTS),))])  # fmt: skip
def test_a_case_that_cannot_be_kept_is_refused(case: Case) -> None:
    with pytest.raises(BadInput):
        check_cases((case,))


def test_a_file_is_read_as_it_is_written_and_a_broken_one_is_named() -> None:
    text = 'title = "없는 날"\ninput = "요약해 줘"\n[[checks]]\nkind = "lacks"\ntext = "0건"\n'
    case = read_case("quiet", text)
    assert (case.name, case.title, case.checks[0].kind) == ("quiet", "없는 날", K.LACKS)
    for broken in ("title = ", 'input = "i"\n[[checks]]\nkind = "unheard"\n', "x" * 10):
        with pytest.raises(BadInput, match=r"tests/quiet\.toml"):
            read_case("quiet", broken)
