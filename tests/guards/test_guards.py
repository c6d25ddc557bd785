"""Each guard taken out turns a test red, and the table of guards says nothing that is not so."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canary import LEFT_BEHIND
from tests.guards.guard import Guard
from tests.guards.side_by_side import OneByOne, Proofs, run_all
from tests.guards.table import SERVED, guards
from tests.guards.tree import ROOT, Outcome, Red, planted

GUARDS = guards()
# `Failed` is pytest's own: what should have been raised was not.
ASSERTED = ("AssertionError", "Failed", "KeyError", "ValueError", "IndexError")
GREEN = "test_all_that_the_table_names_is_green_as_long_as_no_guard_is_missing"
PROOF = "test_without_it_a_test_is_red"


@pytest.fixture(scope="module")
def proofs(request: pytest.FixtureRequest) -> Iterator[Proofs]:
    """Return the results of the chosen rows: all at once, or one by one under xdist."""
    if hasattr(request.config, "workerinput"):
        with planted() as tree:
            yield OneByOne(tree)
    else:
        items = [item for item in request.session.items if named(item)]
        asked = [item.callspec.params["guard"] for item in items if item.originalname == PROOF]
        yield run_all(asked, green=any(item.originalname == GREEN for item in items))


def named(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.path == Path(__file__)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.slug)
def test_a_row_is_about_code_and_tests_that_are_there(guard: Guard) -> None:
    ast.parse(guard.off((ROOT / guard.file).read_text(encoding="utf-8")))
    assert guard.file.startswith(("core/", "auth/", "ui/", "web/"))
    for test in guard.tests:
        file, name = test.split("::", 1)
        last = re.escape(name.partition("[")[0].rpartition("::")[2])
        assert re.search(rf"def {last}\(", (ROOT / file).read_text(encoding="utf-8")), test


def test_names_are_different_and_every_attack_has_a_guard() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
    assert {row for guard in GUARDS for row in guard.rows.split()} == SERVED


@pytest.mark.mutation
def test_all_that_the_table_names_is_green_as_long_as_no_guard_is_missing(proofs: Proofs) -> None:
    assert not [outcome.told for outcome in proofs.green() if outcome.code != pytest.ExitCode.OK]


@pytest.mark.mutation
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.slug)
def test_without_it_a_test_is_red(proofs: Proofs, guard: Guard) -> None:
    outcome = proofs.of(guard)
    if outcome.code == pytest.ExitCode.OK and outcome.skipped:
        pytest.skip(outcome.skipped)
    assert proves(outcome, guard), f"{outcome.code}: {outcome.told}"


def proves(outcome: Outcome, guard: Guard) -> bool:
    """A test failed in what it asserts: not in being collected, not by a name that the row has broken."""
    failed = outcome.code in (pytest.ExitCode.TESTS_FAILED, LEFT_BEHIND)  # without some, the key is left behind
    return failed and any(asserted(red, guard.by) for red in outcome.red)


def asserted(red: Red, by: str) -> bool:
    """Return True if the failure is the test's own assertion, also if the value that it compares is missing."""
    if by:
        return red.phase == "call" and red.error == by
    return red.phase == "call" and red.error in ASSERTED and f"{os.sep}tests{os.sep}" in red.file
