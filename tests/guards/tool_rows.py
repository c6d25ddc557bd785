"""The walls between an agent's programs and the CLI that asks a person about them (SECURITY.md, T2-1 and T2-2)."""

from tests.guards.guard import Guard

HERE = "tests/core/runner/test_tool_launcher.py"
SERVER, LAUNCHER = "core/runner/launcher/fork_server.py", "core/runner/tool_launcher.py"
DOMAIN = f"{HERE}::test_from_the_domain_nothing_outside_it_is_looked_into_or_signalled"
FILTER = f"{HERE}::test_calls_that_look_into_others_are_refused_by_the_filter"
ESCAPES = "tests/core/runner/test_forged_decisions.py::test_stop_ends_what_took_off_every_mark_that_a_program_can"
GUARDS = (
    Guard("tools: the CLI's streams are sockets", "T2-1", "core/runner/cli.py", "stdin=stdin, stdout=stdout, stderr=stderr,", "stdin=-1, stdout=-1, stderr=-1,", f"{HERE}::test_the_streams_of_a_cli_cannot_be_opened_again", by="Failed"),
    Guard("tools: a domain of their own", "T2-1", SERVER, "LIBC.syscall(LANDLOCK_RESTRICT, ruleset, 0) < 0", "False", DOMAIN),
    Guard("tools: root's own rights go", "T2-1", SERVER, "        LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)\n", "        pass\n", "tests/core/runner/test_forged_decisions.py::test_no_attempt_of_an_agents_programs_reaches_its_cli_its_runner_or_another_agent"),
    Guard("tools: no signals out of the domain", "T2-1", SERVER, "SCOPE_SIGNAL if scoped else 0)", "0)", f"{DOMAIN}[os.kill(os.getppid(), 0)]"),
    Guard("tools: the filter on calls", "T2-1", SERVER, "        LIBC.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0)\n", "        pass\n", FILTER),
    Guard("tools: nothing of the agent's runs in a launcher", "T2-1", LAUNCHER, "            **HARMLESS,\n", "", f"{HERE}::test_variables_that_run_code_in_a_launcher_are_pinned_and_reach_only_the_program"),
    Guard("tools: nor by an MCP server's variables", "T2-1", LAUNCHER, 'if name in HARMLESS or name.startswith("LD_")', "if False", f"{HERE}::test_variables_that_run_code_in_a_launcher_are_pinned_and_reach_only_the_program"),
    Guard("tools: Stop finds what has no mark", "T2-2", "core/runner/session.py", ", more=more)", ")", f"{ESCAPES}[a clean environment]", by="TimeoutError"),
    Guard("tools: and orphans of a fork server that was killed", "T2-2", LAUNCHER, "return [*orphans, *below(orphan.pid for orphan in orphans)]", "return []", f"{ESCAPES}[without the fork server]", by="TimeoutError"),
)  # fmt: skip
