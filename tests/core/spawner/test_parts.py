"""A box holds what the runner imports of the program, and nothing else."""

from core.spawner.box import LISTED, PARTS
from tests.imports import ROOT, modules, reached

RUNNER = {str(modules()[name].relative_to(ROOT)) for name in reached("core.runner.daemon")} | {"main.py"}


def test_everything_that_the_runner_imports_is_in_its_box() -> None:
    missing = [
        path for path in sorted(RUNNER) if not any(path == part or path.startswith(part + "/") for part in PARTS)
    ]
    assert missing == []


def test_nothing_is_in_the_box_that_the_runner_does_not_import() -> None:
    unused = [part for part in PARTS if not any(path == part or path.startswith(part + "/") for path in RUNNER)]
    assert unused == []
    assert [path for path in RUNNER if path.startswith(("core/gateway/", "core/store/", "core/vault/", "web/"))] == []


def test_the_folders_around_the_parts_can_be_listed() -> None:
    assert {part.rpartition("/")[0] for part in PARTS} == set(LISTED)
