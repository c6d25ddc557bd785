"""Guards of the tamper check: the CLI's actions are compared with its instructions (SECURITY.md, T2-1)."""

from tests.guards.guard import Guard

HERE, FILE = "tests/core/runner/test_tamper_check.py", "core/runner/tamper_check.py"
NOBODYS = f"{HERE}::test_messages_of_nobody_and_answers_of_no_model_are_noticed"
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
)  # fmt: skip
