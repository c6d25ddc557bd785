"""Each guard taken out turns a test red, and the table of guards says nothing that is not so."""

import ast
import os
import re
from collections.abc import Iterator

import pytest

from tests.guards.guard import Guard
from tests.guards.table import SERVED, guards
from tests.guards.tree import ROOT, Outcome, Red, Tree, planted

GUARDS = guards()
# `Failed` is pytest's own: what should have been raised was not.
ASSERTED = ("AssertionError", "Failed", "KeyError", "ValueError", "IndexError")
GREEN_S = 400


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    with planted() as tree:
        yield tree


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.slug)
def test_a_row_is_about_code_and_tests_that_are_there(guard: Guard) -> None:
    ast.parse(guard.off((ROOT / guard.file).read_text(encoding="utf-8")))
    assert guard.file.startswith(("core/", "auth/", "ui/"))
    for test in guard.tests:
        file, name = test.split("::", 1)
        last = re.escape(name.partition("[")[0].rpartition("::")[2])
        assert re.search(rf"def {last}\(", (ROOT / file).read_text(encoding="utf-8")), test


def test_names_are_different_and_every_attack_has_a_guard() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
    assert {row for guard in GUARDS for row in guard.rows.split()} == SERVED


@pytest.mark.mutation
def test_all_that_the_table_names_is_green_as_long_as_no_guard_is_missing(tree: Tree) -> None:
    outcome = tree.run(sorted({test for guard in GUARDS for test in guard.tests}), limit_s=GREEN_S)
    assert outcome.code == 0, outcome.told


@pytest.mark.mutation
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.slug)
def test_without_it_a_test_is_red(tree: Tree, guard: Guard) -> None:
    with tree.without(guard):
        outcome = tree.run(guard.tests)
    if outcome.code == 0 and outcome.skipped:
        pytest.skip(outcome.skipped)
    assert proves(outcome, guard), f"{outcome.code}: {outcome.told}"


def proves(outcome: Outcome, guard: Guard) -> bool:
    """A test failed in what it asserts: not in being collected, not by a name that the row has broken."""
    return outcome.code == pytest.ExitCode.TESTS_FAILED and any(asserted(red, guard.by) for red in outcome.red)


def asserted(red: Red, by: str) -> bool:
    """What a test compares may be missing altogether: then the test's own line looks for it in vain."""
    if by:
        return red.phase == "call" and red.error == by
    return red.phase == "call" and red.error in ASSERTED and f"{os.sep}tests{os.sep}" in red.file
