"""A terminal is a shell for its person, and for its programs and the agent no way to more (SECURITY.md, T1, T2)."""

from tests.guards.guard import Guard

HERE = "tests/core/runner/test_terminals.py"
FILTER, ONE, SERVER = (
    "core/runner/terminals/escape_filter.py",
    "core/runner/terminals/terminal.py",
    "core/runner/launcher/fork_server.py",
)
GUARDS = (
    Guard("terminal: control sequences are a list", "T2", FILTER, 'return found[0] if _CSI_KEPT.fullmatch(csi) else ""', "return found[0]", f"{HERE}::test_nothing_that_a_terminal_would_answer_or_obey_passes[position]"),
    Guard("terminal: short sequences are a list", "T2", FILTER, 'return found[0] if short is not None and _SHORT_KEPT.fullmatch(short) else ""', 'return found[0] if short is not None else ""', f"{HERE}::test_nothing_that_a_terminal_would_answer_or_obey_passes[identify]"),
    Guard("terminal: no eight-bit sequences", "T2", FILTER, r"\x1c-\x1f\x7f-\x9f", r"\x1c-\x1f\x7f", f"{HERE}::test_nothing_that_a_terminal_would_answer_or_obey_passes[eight bit]"),
    Guard("terminal: an endless sequence has a bound", "T2", FILTER, "if len(text) - cut <= TAIL_CHARS else", "if True else", f"{HERE}::test_a_sequence_without_an_end_costs_no_memory_and_shows_nothing"),
    Guard("terminal: no start-up file of the agent", "T1", ONE, '"bash", "--noprofile", "--norc", "-i"', '"bash", "-i"', f"{HERE}::test_what_the_agent_left_in_the_home_does_not_begin_with_the_shell"),
    Guard("terminal: input has a bound", "T1", ONE, "if len(self._input) + len(data) > INPUT_BYTES:", "if False:", f"{HERE}::test_what_is_typed_and_never_read_has_a_bound"),
    Guard("terminal: the end of the shell ends all", "T1", SERVER, "                os.kill(orphan, signal.SIGKILL)\n            os.wait()", "                pass\n            break", f"{HERE}::test_the_end_of_a_shell_ends_all_that_it_started"),
    Guard("terminal: a runner has a number of them", "T1", "core/runner/terminals/terminals.py", "if len(self._terminals) >= MOST:", "if False:", f"{HERE}::test_terminals_have_a_bound_and_end_with_their_session"),
    Guard("terminal: they end with their session", "T1", "core/runner/routes/sessions.py", '        await self._runner.terminals.end_session(session)\n', "", f"{HERE}::test_terminals_have_a_bound_and_end_with_their_session"),
    Guard("terminal: off is off", "T1", "core/services/terminals.py", "if not self.allowed:", "if False:", "tests/core/services/test_terminals.py::test_where_terminals_are_off_nobody_opens_one"),
)  # fmt: skip
