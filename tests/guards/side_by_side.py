"""Many rows at once, each in a tree that is nobody else's meanwhile."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from tests.guards.guard import Guard
from tests.guards.table import guards
from tests.guards.tree import Outcome, Tree, planted

TREES = 4  # two cores, and half of the time a row only waits
GREEN_S = 400  # of one part of the tests that must be green; the machine may be busy


class Proofs(Protocol):
    """Outcomes, wherever they come from."""

    def of(self, guard: Guard) -> Outcome:
        """Run this row's tests without the guard."""

    def green(self) -> Sequence[Outcome]:
        """Run all tests of the table in the unchanged tree, some files at a time."""


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Run when asked for: where several workers share the rows, each has a tree."""

    tree: Tree

    def of(self, guard: Guard) -> Outcome:
        return _without(guard)(self.tree)

    def green(self) -> Sequence[Outcome]:
        return [_green(tests)(self.tree) for tests in _parts(guards())]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """All that were asked for, run before the first is looked at: most of the time a row only waits."""

    without: dict[str, Outcome]
    whole: Sequence[Outcome]

    def of(self, guard: Guard) -> Outcome:
        return self.without[guard.name]

    def green(self) -> Sequence[Outcome]:
        return self.whole


def run_all(asked: Sequence[Guard], *, green: bool) -> SideBySide:
    """These rows, and if `green` all tests of the table as they are."""
    with ExitStack() as stack:
        free: SimpleQueue[Tree] = SimpleQueue()
        for tree in [stack.enter_context(planted()) for _ in range(TREES)]:
            free.put(tree)
        pool = stack.enter_context(ThreadPoolExecutor(TREES))

        def begin(run: Callable[[Tree], Outcome]) -> Future[Outcome]:
            def borrowed() -> Outcome:
                tree = free.get()
                try:
                    return run(tree)
                finally:
                    free.put(tree)

            return pool.submit(borrowed)

        whole = [begin(_green(tests)) for tests in _parts(guards())] if green else []
        # what waits longest comes first
        off = {guard.name: begin(_without(guard)) for guard in sorted(asked, key=lambda guard: not guard.by)}
        outcomes = {name: outcome.result() for name, outcome in off.items()}
        return SideBySide(outcomes, [outcome.result() for outcome in whole])


def _without(guard: Guard) -> Callable[[Tree], Outcome]:
    def run(tree: Tree) -> Outcome:
        with tree.without(guard):
            return tree.run(guard.tests, wait_s=guard.wait_s)

    return run


def _green(tests: Sequence[str]) -> Callable[[Tree], Outcome]:
    return lambda tree: tree.run(tests, limit_s=GREEN_S)


def _parts(table: Sequence[Guard]) -> list[list[str]]:
    """All tests in as many parts as there are trees; those of a file, which share what they start, together."""
    parts: list[list[str]] = [[] for _ in range(TREES)]
    tests = sorted({test for guard in table for test in guard.tests})
    for number, file in enumerate(sorted({test.partition("::")[0] for test in tests})):
        parts[number % TREES] += [test for test in tests if test.startswith(f"{file}::")]
    return [part for part in parts if part]
