"""Guards of decisions: only a person makes them, and exactly what was decided is done."""

from tests.guards.guard import Guard

DESK, RULES = "core/runner/pending_requests.py", "core/domain/permission_rules.py"
TEST = "tests/core/runner/test_pending_requests.py"
EXACTLY = f"{TEST}::test_a_late_decision_is_good_once_and_only_for_exactly_that_input"
RULE_TEST = "tests/core/domain/test_permission_rules.py"
NO_RULE = f"{RULE_TEST}::test_what_is_no_rule_is_refused"
ONLY_RULE = f"{RULE_TEST}::test_a_rule_allows_no_more_than_it_says"
LIST, POLICY = "core/domain/unasked_commands.py", "core/domain/permission_policy.py"
JUDGE, SETTINGS = "core/runner/permission_judge.py", "core/protocol/managed_settings.py"
JUDGE_TEST = "tests/core/runner/test_permission_judge.py"
LIST_UNIT = "tests/core/domain/test_unasked_commands.py"
LIST_TEST, REQUESTS = "tests/core/runner/test_unasked_commands.py", "tests/core/runner/test_requests.py"

GUARDS = (
    Guard(
        "a late decision is good for exactly that input", "S4", DESK,
        'return tool + "\\0" + json.dumps(truncation.tool_input(raw), sort_keys=True)', "return tool", EXACTLY,
    ),
    Guard("a late decision is good once", "S4", DESK, "self._once.pop(_key(", "self._once.get(_key(", EXACTLY),
    Guard(
        "a late decision is for nothing that was not shown whole", "S4", DESK, "if whole and (once :=", "if (once :=",
        f"{TEST}::test_a_late_decision_about_what_was_too_long_to_be_shown_is_good_for_nothing_else",
    ),
    Guard(
        "a decision fits what was asked", "S4", DESK, "if decision not in DECISIONS[asked.kind]:", "if False:",
        f"{TEST}::test_a_decision_must_fit_its_kind",
    ),
    Guard(
        "a command that is not plainly a name is no prefix", "S4", RULES, "or not _NAME.fullmatch(name):", "or False:",
        f"{RULE_TEST}::test_what_is_offered_allows_the_very_command",
    ),
    Guard(
        "what runs any command is no prefix", "S4", RULES, "bool(known & _RUNNERS)", "bool(known & {'bash'})",
        f"{RULE_TEST}::test_what_is_offered_allows_the_very_command",
    ),
    Guard(
        "an option hides no second word", "S4", RULES, 'name in _LEADERS and second.startswith("-")', "False",
        f"{RULE_TEST}::test_what_is_offered_allows_the_very_command",
    ),
    Guard(
        "a pattern has no parentheses, which the CLI reads otherwise", "S4", RULES,
        "(?:\\((?P<pattern>[^()]+)\\))?", "(?:\\((?P<pattern>.+)\\))?", NO_RULE,
    ),
    Guard("a rule names a tool", "S4", RULES, 'not (found["tool"] in TOOLS or', "not (True or", NO_RULE),
    Guard("a rule allows all commands of a chain or none", "S4", RULES,
        "            return ()\n    return tuple(used)", "            pass\n    return tuple(used)", ONLY_RULE),
    Guard("a rule is for that folder", "S4", RULES, 'path.startswith(f"{folder}/") if star', "path.startswith(folder) if star",
        f"{RULE_TEST}::test_a_rule_for_files_is_for_that_folder"),
    Guard("only a rule that allows it is offered", "S4", RULES, "return bool(allowing(parse_rules(text), use))", "return True",
        f"{RULE_TEST}::test_other_tools_are_allowed_by_name_by_server_and_by_host"),
    Guard("a program that is not on the list asks", "S4", LIST, "    if program is None:\n        return False\n",
        "    program = program or _ANY\n", f"{LIST_UNIT}::test_a_command_that_changes_something_or_reads_elsewhere_asks"),
    Guard("an option that changes something asks", "S4", LIST, "program.options.fullmatch(word.text)", "True",
        f"{LIST_UNIT}::test_a_command_that_changes_something_or_reads_elsewhere_asks"),
    Guard("a path out of the folder asks", "S4", LIST, "return bool(_LEADS_OUT.match(text)) or", "return",
        f"{LIST_UNIT}::test_a_command_that_changes_something_or_reads_elsewhere_asks"),
    Guard("a star makes no option", "S4", LIST, 'word.text[:1] in "*?["', "False",
        f"{LIST_UNIT}::test_a_command_that_changes_something_or_reads_elsewhere_asks"),
    Guard("everything is asked where everything is to be asked", "S4", POLICY, "mode is not Mode.ASK and reading_passes", "reading_passes",
        f"{JUDGE_TEST}::test_reading_passes_in_all_modes_but_the_one_that_asks_for_everything"),
    Guard("edits pass in one mode only", "S4", POLICY, "mode is Mode.EDITS and edits_pass", "edits_pass",
        f"{JUDGE_TEST}::test_edits_pass_inside_the_folder_in_one_mode"),
    Guard("an allow list asks nobody", "S4", POLICY, 'return PolicyDecision("deny", "mode") if mode is Mode.LISTED else ASK', "return ASK",
        f"{JUDGE_TEST}::test_what_changes_something_asks_or_is_refused"),
    Guard("an edit through a link asks", "S4", JUDGE, "os.path.realpath(self.folder / named)", "os.path.abspath(self.folder / named)",
        f"{JUDGE_TEST}::test_edits_pass_inside_the_folder_in_one_mode"),
    Guard("a start file of the shell makes all commands ask", "S4", JUDGE, "return not started and", "return",
        f"{JUDGE_TEST}::test_a_shell_in_which_names_may_mean_something_else_lets_nothing_pass"),
    Guard("variables of a folder make all commands ask", "S4", JUDGE, "and not sets_environment(self.folder)", "",
        f"{JUDGE_TEST}::test_a_shell_in_which_names_may_mean_something_else_lets_nothing_pass"),
    Guard("the CLI asks about every command", "S4", SETTINGS, ', "ask": list(ASKED_TOOLS)}', "}",
        "tests/core/runner/test_folder_requests.py::test_both_walls_say_the_same_of_what_runs_by_itself"),
    Guard("a skill's text runs no commands", "S4", SETTINGS, '    "disableSkillShellExecution": True,', "",
        "tests/core/runner/test_folder_requests.py::test_both_walls_say_the_same_of_what_runs_by_itself"),
    Guard("an input that nobody can read whole is refused", "S4", JUDGE, 'return PolicyDecision("deny", "size")', "pass",
        "tests/core/runner/test_permission_judge.py::test_what_is_too_long_to_be_read_is_refused_with_a_reason"),
    Guard("no foreign code runs inside a command", "S4", SETTINGS, "(*_ELSEWHERE, *_INSIDE_COMMANDS)", "_ELSEWHERE",
        "tests/core/runner/test_folder_requests.py::test_both_walls_say_the_same_of_what_runs_by_itself"),
    Guard("a rule that does not allow what was asked is not taken", "S4", "core/runner/conversation.py",
        "and self.cli_client and not self.cli_client.allows(answered.rule, asked):", "and False:",
        f"{REQUESTS}::test_a_rule_that_does_not_allow_what_was_asked_is_not_taken"),
    Guard(
        "a login that cannot be looked up keeps nobody signed in", "W5 A4", "auth/sockets.py",
        "guard.sweep(), return_exceptions=True)", "guard.sweep())",
        "tests/auth/test_watch.py::test_one_that_cannot_be_looked_up_keeps_nobody_else_signed_in", by="TimeoutError",
    ),
    Guard(
        "what a box did last is waited for, and goes with the account", "S2", "core/services/account.py",
        "                    await asyncio.sleep(SETTLE_S)\n", "",
        "tests/core/services/test_account.py::TestDeletion::test_what_the_gateway_writes_when_the_box_has_ended_does_not_stay",
    ),
    Guard(
        "who deletes their account is out", "A4", "core/services/account.py", "        await self._locked_out(user)\n", "",
        "tests/core/services/test_account.py::TestDeletion::test_nothing_is_left_of_it_and_everything_of_others",
    ),
)  # fmt: skip
