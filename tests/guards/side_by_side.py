"""Many rows at once, each in a tree that is nobody else's meanwhile."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue

from tests.guards.guard import Guard
from tests.guards.tree import Outcome, Tree, planted

TREES = 4  # two cores, and half of the time a row only waits
GREEN_S = 400  # of one part of the tests that must be green; the machine may be busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """`without`: by the guard's name. `green`: of the tests in the untouched tree, some files each."""

    without: dict[str, Outcome]
    green: Sequence[Outcome]


def proven(guards: Sequence[Guard], *, green: bool) -> Outcomes:
    """Run the tests of these rows with their guards off, and if `green`, all of them as they are."""
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

        whole = [begin(_green(tests)) for tests in _parts(guards)] if green else []
        # what waits longest comes first
        off = {guard.name: begin(_without(guard)) for guard in sorted(guards, key=lambda guard: not guard.by)}
        return Outcomes(
            without={name: outcome.result() for name, outcome in off.items()},
            green=[outcome.result() for outcome in whole],
        )


def _without(guard: Guard) -> Callable[[Tree], Outcome]:
    def run(tree: Tree) -> Outcome:
        with tree.without(guard):
            return tree.run(guard.tests, wait_s=guard.wait_s)

    return run


def _green(tests: Sequence[str]) -> Callable[[Tree], Outcome]:
    return lambda tree: tree.run(tests, limit_s=GREEN_S)


def _parts(guards: Sequence[Guard]) -> list[list[str]]:
    """All tests in as many parts as there are trees; those of a file, which share what they start, together."""
    parts: list[list[str]] = [[] for _ in range(TREES)]
    tests = sorted({test for guard in guards for test in guard.tests})
    for number, file in enumerate(sorted({test.partition("::")[0] for test in tests})):
        parts[number % TREES] += [test for test in tests if test.startswith(f"{file}::")]
    return [part for part in parts if part]
