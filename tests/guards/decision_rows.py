"""What only a person decides, and that what they decided is what is done."""

from tests.guards.guard import Guard

DESK, RULES = "core/runner/permissions.py", "core/domain/permission_rules.py"
TEST = "tests/core/runner/test_permissions.py"
EXACTLY = f"{TEST}::test_a_late_decision_is_good_once_and_only_for_exactly_that_input"
NO_RULE = "tests/core/domain/test_permission_rules.py::test_what_is_no_rule_is_refused"

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
        "a command that reads as more rules is not offered as its own", "S4", DESK,
        "if parse_rules(text) == tuple(dict.fromkeys(wish.rules)) and all(", "if wish.rules and all(",
        f"{TEST}::test_a_suggestion_of_the_cli_that_reads_as_another_is_not_offered",
    ),
    Guard(
        "a star of a command is none of a rule", "S4", DESK, "return not said and \"*\" not in pattern", "return \"*\" not in pattern",
        f"{TEST}::test_a_star_of_the_command_is_none_of_a_rule",
    ),
    Guard(
        "a command that is not plainly a name is no prefix", "S4", DESK, "if runs or not NAME.fullmatch(words[0]):", "if runs:",
        f"{TEST}::test_always_is_suggested_as_a_rule",
    ),
    Guard(
        "what runs any command is no prefix", "S4", DESK, "bool(known & RUNNERS)", "bool(known & {'bash'})",
        f"{TEST}::test_always_is_suggested_as_a_rule",
    ),
    Guard(
        "an option hides no second word", "S4", DESK, 'name in LEADERS and second.startswith("-")', "False",
        f"{TEST}::test_always_is_suggested_as_a_rule",
    ),
    Guard("a pattern has no parentheses, which the CLI reads otherwise", "S4", RULES, "(?P<pattern>\\([^()]+\\))?", "(?P<pattern>\\(.+\\))?", NO_RULE),
    Guard("a rule names a tool", "S4", RULES, 'known = found and (found["tool"] in TOOLS or', "known = found and (True or", NO_RULE),
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
