"""Guards of versions, imports and definitions: the files a run works by, and the reach of a file from anywhere."""

from tests.guards.guard import Guard

REPOSITORY, PACKING = "core/runner/versions/repository.py", "core/runner/versions/packing.py"
VERSIONS, HOSTILE = "tests/core/runner/test_versions.py", "tests/core/runner/test_packing.py"
REFUSED = f"{HOSTILE}::test_a_hostile_archive_is_refused_with_a_sentence_and_nothing_is_written"
GUARDS = (
    Guard("version: a run works by what was published", "F4", REPOSITORY, "if digest(tree) != version.digest:", "if False:", f"{VERSIONS}::test_a_version_that_a_program_has_rewritten_is_refused_and_nothing_of_it_is_used"),
    Guard("import: an archive has no links", "F4", PACKING, "if stat.S_IFMT(mode) not in (0, stat.S_IFREG):", "if False:", f"{REFUSED}[a link]"),
    Guard("import: two names that are one file elsewhere", "F4", PACKING, "if path.casefold() in seen:", "if False:", f"{REFUSED}[the same name twice]"),
    Guard("definition: no change is written over", "F4", "core/agents/changes.py", 'expect={"revision": before.revision},', "", "tests/core/services/test_agent_definitions.py::test_rules_of_two_answers_at_once_are_both_kept"),
)  # fmt: skip
