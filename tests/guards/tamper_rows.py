"""Guards of the tamper check: the CLI's actions are compared with its instructions (SECURITY.md, T2-1)."""

from tests.guards.guard import Guard

HERE, FILE = "tests/core/runner/test_tamper_check.py", "core/runner/tamper_check.py"
NOBODYS = f"{HERE}::test_messages_of_nobody_and_answers_of_no_model_are_noticed"
FORGED = "tests/core/runner/test_forged_log.py"
ATTACK = f"{FORGED}::test_only_the_lines_before_a_forged_one_are_believed"
GUARDS = (
    Guard("tamper: a tool without an answer, or against it", "T2-1", FILE, "case ToolReturned(ok=True) if self._decisions.get(item.id, True) is not True:", "case ToolReturned(ok=True) if False:", f"{HERE}::test_a_tool_that_ran_before_anybody_had_answered_is_noticed_and_one_that_was_refused_is_not"),
    Guard("tamper: a command without a question", "T2-1", FILE, "item.id in self._commands and item.id not in self._decisions:", "False:", f"{HERE}::test_a_command_that_ran_without_having_been_asked_for_is_noticed"),
    Guard("tamper: another command than the model's", "T2-1", FILE, "if written is not None and", "if False and", f"{HERE}::test_a_request_about_another_command_than_the_model_s_is_noticed"),
    Guard("tamper: a message that nobody sent", "T2-1", FILE, "case TakenIn() if not all(", "case TakenIn() if False and not all(", NOBODYS),
    Guard("tamper: words of no model", "T2-1", FILE, "item.model != SYNTHETIC and not self._calls.knows(item.api_id)", "False", NOBODYS),
    Guard("tamper: the CLI ends at once", "T2-1", "core/runner/conversation.py", "            self.cli_client.cli.kill()\n", "            pass\n", f"{HERE}::test_an_answer_that_nobody_gave_ends_the_session_within_two_seconds", by="TimeoutError"),
    Guard("tamper: the next CLI remembers nothing of it", "T2-1", "core/runner/session.py", "if self.conversation.tampered:", "if False:", f"{HERE}::test_an_answer_that_nobody_gave_ends_the_session_within_two_seconds"),
    Guard("cli sessions: a line that is no UUID is not resumed", "T2-7", "core/runner/cli_sessions.py", "(line for line in text.splitlines() if _UUID.fullmatch(line))", "(line for line in text.splitlines() if line)", "tests/core/runner/test_cleared_context.py::test_a_line_that_is_no_uuid_is_not_resumed[--resume=x]"),
    Guard("checkpoint: words are kept before they are shown", "T2-7", "core/runner/journal.py", "            self.before_shown(shown)\n", "            pass\n", "tests/core/runner/test_checkpoint.py::test_no_word_that_was_shown_is_missing_after_the_runner_was_killed[7]", by="ValueError"),
    Guard("log: a line is the runner's by its mark", "T2-1", "core/runner/seal.py", "if body is line or (mark := self._mark(body)) != mark_of(line):", "if (mark := self._mark(body)) and False:", f"{ATTACK}[an answer]"),
    Guard("log: a mark is made with the user's key", "T2-1", "core/runner/seal.py", "key=key[:64], digest_size=KEY_BYTES", "digest_size=KEY_BYTES", f"{FORGED}::test_a_log_is_worth_nothing_under_another_sessions_name_or_for_another_users_key"),
    Guard("log: each mark stands on the one before", "T2-1", "core/runner/seal.py", "found = hashlib.blake2b(self._last, key=", "found = hashlib.blake2b(b'', key=", f"{ATTACK}[a line left out]"),
    Guard("log: marks are of one session's log", "T2-1", "core/runner/seal.py", "hashlib.blake2b(name.encode(), key=", "hashlib.blake2b(b'', key=", f"{FORGED}::test_a_log_is_worth_nothing_under_another_sessions_name_or_for_another_users_key"),
    Guard("log: lines without marks need one that stands on them", "T2-1", "core/runner/log.py", "    if plain and plain == len(ends) - 1:  # nothing stands on them\n", "    if False:\n", f"{ATTACK}[all marks taken off]"),
    Guard("log: what an open file has is not believed either", "T2-1", "core/runner/log.py", "if (body := marks.opened(line)) is None:", "if (body := unmarked(line)) is None:", f"{FORGED}::test_what_is_changed_while_the_log_is_open_is_not_read_out[0]"),
    Guard("log: a cut log begins nothing before the Store was asked", "T2-1", "core/runner/sessions.py", "await asyncio.wait_for(self._outboxes[session.id][0].compared.wait(), AWAY_S)", "await asyncio.sleep(0)", f"{FORGED}::test_a_log_that_was_cut_takes_back_from_the_store_what_it_lacks_before_anything_begins"),
    Guard("log: the cursor is the runner's", "T2-1", "core/runner/outbox.py", "seal.opened(path.read_bytes()) or b\"\"", "path.read_bytes()", f"{FORGED}::test_a_cursor_that_no_runner_wrote_is_a_new_one"),
    Guard("checkpoint: a shown word is the runner's by its mark", "T2-1", "core/runner/checkpoint.py", "marks.opened(line) or b\"\"", "line", "tests/core/runner/test_checkpoint.py::test_text_without_the_runners_marks_is_as_good_as_nothing"),
)  # fmt: skip
