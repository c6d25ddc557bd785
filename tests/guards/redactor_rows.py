"""Users' secrets: whose they are, what may be one, and that nothing of a value is stored or shown."""

from tests.guards.guard import Guard

LOCAL, VALUES, VEIL = "core/vault/local.py", "core/vault/limits.py", "core/runner/event_redactor.py"
VAULT, TEST = "tests/contract/test_vault.py", "tests/core/runner/test_event_redactor.py"
VALUE = f"{VAULT}::test_a_value_that_could_not_be_masked_or_handed_over_is_none"

GUARDS = (
    Guard(
        "vault: a file is its owner's", "S3 Z2", LOCAL, "if whose != owner.encode():", "if False:",
        f"{VAULT}::test_a_file_of_another_user_is_not_taken_for_ones_own",
    ),
    Guard(
        "vault: encrypted", "S3", LOCAL, 'self._cipher().encrypt(owner.encode() + b"\\n" + raw)', 'owner.encode() + b"\\n" + raw',
        f"{VAULT}::test_on_disk_there_is_neither_value_nor_name_and_nobody_else_may_read_it",
    ),
    Guard(
        "secrets: no name that changes how programs run", "S4", VALUES,
        "if name in TAKEN or name.startswith(TAKEN_HEADS):", "if False:",
        f"{VAULT}::test_a_name_that_would_change_how_programs_run_is_none",
    ),
    Guard("secrets: none too short to be masked", "S3", VALUES, "if len(value.strip()) < SHORTEST:", "if False:", VALUE),
    Guard(
        "secrets: only one's own can be assigned", "Z2 Z3", "core/services/secrets.py",
        "if given and name not in await self._vault.names(owner=user):", "if False:",
        "tests/core/services/test_secrets.py::test_neither_another_users_secret_nor_another_users_agent_can_be_named",
    ),
    Guard(
        "masked before it is stored", "S3", VEIL, "if not redactor.contains_secret(line):", "if True:",
        f"{TEST}::test_no_word_of_an_event_holds_it_and_nothing_else_changes",
    ),
    Guard(
        "masked while it is written", "S3", VEIL, "text = stream.feed(event.text)", "text = event.text",
        f"{TEST}::test_a_secret_is_not_shown_in_pieces_either",
    ),
    Guard(
        "masked while a command prints it", "S3", VEIL, "shown = stream.feed(event.text)", "shown = event.text",
        f"{TEST}::test_a_value_in_a_commands_output_is_masked_wherever_it_was_cut_and_after_a_gap",
    ),
    Guard(
        "masked after a gap in what a command prints", "S3", VEIL, "[LONGEST if event.skipped else 0 :]", "",
        f"{TEST}::test_a_value_in_a_commands_output_is_masked_wherever_it_was_cut_and_after_a_gap",
    ),
    Guard(
        "a command's output is read from a regular file", "F1", "core/runner/live_output.py", "os.O_RDONLY | os.O_NOFOLLOW |", "os.O_RDONLY |",
        "tests/core/runner/test_live_output.py::test_what_is_no_regular_file_is_not_read",
    ),
    Guard(
        "masked for who comes late", "S3", VEIL, "StreamingRedactor(redactor).feed(delta.text))", "delta.text)",
        f"{TEST}::test_a_late_reader_is_told_exactly_what_the_others_have_seen",
    ),
    Guard(
        "a value that was replaced stays masked", "S3", "core/runner/known_secrets.py",
        "newest = [value for value in self._values if value not in given] + sorted(given)", "newest = sorted(given)",
        "tests/core/runner/test_secrets.py::test_old_values_stay_known_until_there_are_too_many_and_what_is_known_costs_nothing",
    ),
)  # fmt: skip
