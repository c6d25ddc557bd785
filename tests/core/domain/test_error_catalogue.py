"""Tests of the one table of errors: it has every code of the program, and pages, API and documentation use
its texts.
"""

import ast
import re
from pathlib import Path

import pytest

from core.domain import error_catalogue
from core.domain.error_catalogue import ADVICE, INTERNAL, REQUESTS, TURNS, Remedy, may_retry
from core.runner import turn_result
from ui.layout.i18n import LOCALES, words

ROOT = Path(__file__).resolve().parents[3]
ENTRIES = {**TURNS, **REQUESTS}


def raised() -> set[str]:
    """Every text that is given as `code=` to an error, or stands as `code` in a class of errors."""
    found = set()
    for folder in ("core", "auth", "ui", "web"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    found |= {word.value.value for word in node.exc.keywords if _is_code(word.arg, word.value)}
                if isinstance(node, ast.ClassDef):
                    found |= {code for one in node.body if isinstance(one, ast.Assign) for code in _codes(one)}
    return found


def _codes(assignment: ast.Assign) -> set[str]:
    """`code = "x"` or `code, status = "x", 400`."""
    [target] = assignment.targets
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    values = assignment.value.elts if isinstance(assignment.value, ast.Tuple) else [assignment.value]
    pairs = zip(names, values, strict=False)
    return {value.value for name, value in pairs if isinstance(name, ast.Name) and _is_code(name.id, value)}  # type: ignore[attr-defined]


def _is_code(name: str | None, value: ast.expr) -> bool:
    return name == "code" and isinstance(value, ast.Constant) and bool(value.value)


def test_every_code_that_is_raised_is_in_the_table() -> None:
    assert raised() - set(ENTRIES) - INTERNAL == set()


def test_every_reason_of_a_turn_is_in_the_table_and_has_a_sentence_in_every_language() -> None:
    reasons = {reason for *_, reason in turn_result._TEXTS} | set(turn_result._STATUS.values())
    assert reasons <= set(TURNS)
    for locale in LOCALES:
        assert [code for code in TURNS if not words(locale).has(f"reason.{code}")] == []


def test_an_entry_is_whole_sentences_and_says_what_helps() -> None:
    for code, entry in ENTRIES.items():
        assert re.fullmatch(r"[A-Z`].+\.", entry.happened), code
        assert re.fullmatch(r"[A-Z`].+\.", entry.means), code
        assert entry.remedies, code
    assert set(ADVICE) == set(Remedy)


@pytest.mark.parametrize("code", ["request_refused", "model_declined", "too_long", "stopped_by_user", "spend_limit"])
def test_what_would_fail_again_is_not_offered_again(code: str) -> None:
    assert not may_retry(code)
    assert may_retry("no_answer")
    assert may_retry("a code of a newer version")


def test_the_documentation_is_generated_from_the_table() -> None:
    assert (ROOT / "docs" / "errors.md").read_text() == error_catalogue.markdown()
