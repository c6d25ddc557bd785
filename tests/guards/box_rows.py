"""The walls of a box, tried from inside a real one, and what the runner in it does with files and strangers."""

from tests.guards.guard import Guard

WALLS, PROCESS, LOCAL = "core/spawner/box.py", "core/spawner/process.py", "core/spawner/local.py"
INSIDE = "tests/core/spawner/test_box.py"
OUTSIDE = "tests/core/spawner/test_local.py"
NO_WAY = f"{INSIDE}::test_there_is_no_way_to"
ORDINARY = f"{INSIDE}::test_the_agent_is_an_ordinary_user_without_capabilities"
WRITABLE = f"{INSIDE}::test_home_and_two_places_that_vanish_are_all_that_can_be_written"
EXPORT = "tests/core/runner/test_export.py::test_plain_files_are_sent_whole_and_links_and_devices_are_not_followed"
ROUTES_ASK = "tests/core/runner/test_lifetimes.py::test_every_route_asks_for_the_caller_s_identity"
APP = "core/runner/app.py"
HTTP = "core/runner/routes/http.py"
SESSIONS = "core/runner/routes/sessions.py"
SPARE = "tests/core/runner/test_boot.py::test_nobodys_runner_answers_its_probe_and_the_boot_key"

GUARDS = (
    Guard(
        "box: an empty environment", "S1", WALLS, '"--hostname", "box", "--clearenv"', '"--hostname", "box"',
        f"{INSIDE}::test_no_line_of_the_box_holds_a_word_of_the_environment",
    ),
    Guard(
        "box: no network", "S6", WALLS, '"--unshare-all", "--disable-userns"', '"--unshare-all", "--share-net", "--disable-userns"',
        f"{INSIDE}::test_what_the_trial_of_this_machine_finds_is_no_network",
    ),
    Guard(
        "box: a PID namespace", "S1 S2", WALLS,
        '"--unshare-user", "--unshare-all", "--disable-userns", "--uid", UID, "--gid", UID, "--cap-drop", "ALL"),\n        *("--new-session", "--hostname", "box", "--clearenv"),\n        "--as-pid-1",',
        '"--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--disable-userns", "--uid", UID, "--gid", UID, "--cap-drop", "ALL"),\n        *("--new-session", "--hostname", "box", "--clearenv"),\n        ',
        f"{INSIDE}::test_no_process_but_its_own_can_be_seen_and_none_tells_of_the_platform",
    ),
    Guard(
        "box: kernel keys", "S9", PROCESS, "filter_ = seccomp.program()", 'filter_ = b""',
        f"{NO_WAY}[a kernel key]",
    ),
    Guard(
        "box: no namespaces inside", "S9", WALLS, '"--unshare-all", "--disable-userns"', '"--unshare-all"',
        "tests/core/spawner/test_box.py::test_on_a_machine_whose_call_numbers_we_do_not_know_there_are_no_namespaces_inside_either",
    ),
    Guard("box: no capabilities", "S9", WALLS, ', "--cap-drop", "ALL"', ', "--cap-add", "ALL"', ORDINARY),
    Guard("box: an ordinary user", "S9", WALLS, 'UID = "1000"', 'UID = "0"', ORDINARY),
    Guard(
        "box: /proc is read-only", "S9", WALLS, '"--proc", "/proc", "--remount-ro", "/proc"', '"--proc", "/proc"',
        f"{INSIDE}::test_the_kernels_settings_are_read_only_also_where_we_are_root",
    ),
    Guard("box: the root is read-only", "S9", WALLS, ', "--remount-ro", "/"),  # last', '),  # last', WRITABLE),
    Guard("box: the system is read-only", "S9", WALLS, '"--ro-bind", str(host.program / part)', '"--bind", str(host.program / part)', WRITABLE),
    Guard("box: the gateway's socket cannot be replaced", "S7", WALLS, '["--ro-bind", str(out), OUT]', '["--bind", str(out), OUT]', WRITABLE),
    Guard(
        "box: /tmp is its own", "S2", WALLS, '"/dev/shm", "--remount-ro", "/dev", *size, "/tmp"]', '"/dev/shm", "--remount-ro", "/dev", "--bind", "/tmp", "/tmp"]',
        f"{INSIDE}::test_memory_for_temporary_files_has_an_end",
    ),
    Guard(
        "box: /tmp has an end", "R3", WALLS, "TMP_BYTES = 256 * 1024**2", "TMP_BYTES = 25600 * 1024**2",
        f"{INSIDE}::test_memory_for_temporary_files_has_an_end",
    ),
    Guard(
        "box: no accounts of the machine", "S2", WALLS, '    "/etc/alternatives",\n', '    "/etc/alternatives",\n    "/etc/shadow",\n',
        f"{INSIDE}::test_no_account_of_the_machine_and_no_private_key_is_told",
    ),
    Guard(
        "box: its own name", "S2", WALLS, '"--hostname", "box", ', '', f"{INSIDE}::test_no_account_of_the_machine_and_no_private_key_is_told",
    ),
    Guard(
        "box: one home and no other", "S2 Z2", WALLS, '*("--bind", str(home), HOME)', '*("--bind", str(home.parent), HOME)',
        f"{INSIDE}::test_neither_data_nor_homes_nor_sockets_of_the_platform_are_inside",
    ),
    Guard(
        "box: no core dumps", "S1", PROCESS, "    resource.RLIMIT_CORE: (0, 0),\n", "    resource.RLIMIT_CORE: (1024, 1024),\n",
        f"{INSIDE}::test_limits_hold_for_the_runner_and_what_it_starts",
    ),
    Guard(
        "box: processes are limited", "R1", PROCESS, "resource.RLIMIT_NPROC: (4096, 4096),", "resource.RLIMIT_NPROC: (40960, 40960),",
        f"{INSIDE}::test_limits_hold_for_the_runner_and_what_it_starts",
    ),
    Guard(
        "box: the filter refuses what is listed", "S9", "core/spawner/seccomp.py", '*((EQUAL, row[column], "refuse", None) for row in REFUSED.values())', '*((EQUAL, row[column], None, None) for row in REFUSED.values())',
        "tests/core/spawner/test_seccomp.py::test_what_is_listed_is_refused_and_everything_else_is_let_through",
    ),
    Guard(
        "box: the filter knows other tables of calls", "S9", "core/spawner/seccomp.py", '(AT_LEAST, X32, "refuse", None)', "(AT_LEAST, X32, None, None)",
        "tests/core/spawner/test_seccomp.py::test_other_tables_of_call_numbers_are_no_way_around[x86_64]",
    ),
    Guard(
        "box: the filter knows other architectures", "S9", "core/spawner/seccomp.py", '(EQUAL, ARCHITECTURES[machine], None, "refuse")', "(EQUAL, ARCHITECTURES[machine], None, None)",
        "tests/core/spawner/test_seccomp.py::test_other_tables_of_call_numbers_are_no_way_around[x86_64]",
    ),
    Guard(
        "homes are private", "S2", LOCAL, "            private.mkdir(mode=0o700, parents=True, exist_ok=True)\n",
        "            private.mkdir(mode=0o755, parents=True, exist_ok=True)\n", f"{OUTSIDE}::test_homes_logs_and_sockets_are_private",
    ),
    Guard(
        "a runner's socket is for us alone", "S2", "core/config/runtime_dir.py", "path.chmod(0o600 if group", "path.chmod(0o666 if group",
        f"{OUTSIDE}::test_homes_logs_and_sockets_are_private",
    ),
    Guard(
        "a user's name is no path", "F1", LOCAL, 'if "/" in user or user in ("", ".", ".."):', "if False:",
        "tests/core/spawner/test_life.py::test_a_user_whose_name_leads_out_of_the_homes_is_refused",
    ),
    Guard(
        "a runner's log has an end", "R3", LOCAL, "path.stat().st_size > LOG_BYTES:", "False:",
        f"{OUTSIDE}::test_what_a_runner_prints_is_kept_for_one_life_and_has_an_end",
    ),
    Guard("runner: no link to a folder is followed", "F2", "core/runner/export.py", "os.O_DIRECTORY | os.O_NOFOLLOW |", "os.O_DIRECTORY |", EXPORT),
    Guard("runner: no link to a file is followed", "F2", "core/runner/export.py", "READ = os.O_RDONLY | os.O_NOFOLLOW |", "READ = os.O_RDONLY |", EXPORT),
    Guard("runner: plain files only", "F1", "core/runner/export.py", "if not stat.S_ISREG(about.st_mode):", "if False:", EXPORT),
    Guard(
        "runner: a path in an export has an end", "F3", "core/runner/export.py", "path[:PATH_CHARS]", "path",
        "tests/core/runner/test_export.py::test_a_path_longer_than_its_reader_takes_is_cut_and_its_file_is_whole",
    ),
    Guard(
        "a runner loads nothing of its agent's", "S1", LOCAL, "self._host.interpreter, NO_USER_SITE,", "self._host.interpreter,",
        "tests/core/spawner/test_life.py::test_what_an_agent_installs_for_itself_is_nothing_that_its_runner_loads[bubblewrap]",
    ),
    Guard(
        "runner: a log is no link and no pipe", "F2", "core/runner/log.py", "if not stat.S_ISREG(os.fstat(fd).st_mode):", "if False:",
        "tests/core/runner/test_files.py::test_a_log_that_is_no_file_is_refused",
    ),
    Guard(
        "runner: a log is not behind a link", "F2", "core/runner/log.py", " | os.O_NOFOLLOW, 0o600)", ", 0o600)",
        "tests/core/runner/test_files.py::test_a_log_behind_a_link_is_not_written",
    ),
    Guard(
        "runner: folders have a depth", "R3", "core/runner/export.py", "DEEPEST = 100", "DEEPEST = 100_000",
        "tests/core/runner/test_export.py::test_folders_as_deep_as_nobody_makes_them_are_left_out_and_leak_nothing",
    ),
    Guard(
        "runner: a line has an end", "R2 R3", "core/runner/line_reader.py", "        if self._size > self._limit:\n", "        if False:\n",
        "tests/core/runner/test_line_reader.py::test_a_line_over_the_limit_is_dropped_and_counted_and_the_next_one_is_read",
    ),
    Guard(
        "runner: calls are signed", "S7 Z5", APP,
        'return str(tokens.verify(token, key=key, audience=audience, max_age_s=tokens.RUNNER_TOKEN_S).get("sub", ""))', 'return "google-1"', ROUTES_ASK,
    ),
    Guard("runner: calls are its user's", "Z2", APP, "if user != (bound or read_init(await request.read())).user:", "if False:", ROUTES_ASK),
    Guard(
        "runner: the boot key opens nothing that is somebody's", "S7 Z5", APP,
        'raise Conflict("this runner is bound already", code="bound") from None', "user = bound.user", ROUTES_ASK,
    ),
    Guard(
        "runner: what is nobody's does nothing", "S7 Z5", APP, "        elif init:\n            user = self._booted(", "        elif True:\n            user = self._booted(", SPARE,
    ),
    Guard(
        "runner: what is nobody's is opened by the boot key", "S7 Z5", APP,
        "        elif init:\n            user = self._booted(token)",
        "        elif init:\n            user = read_init(await request.read()).user", SPARE,
    ),
    Guard(
        "runner: what is nobody's is bound by what is signed for this pod only", "S7 Z5", APP,
        "tokens.boot_audience(self._runner.pod)", "tokens.boot_audience()",
        "tests/core/runner/test_boot.py::test_what_is_signed_for_another_pod_binds_nobody_here_though_the_key_is_the_same",
    ),
    Guard(
        "runner: whose it is stays", "Z2", "core/runner/runner.py", "if bound and (bound.user, bound.box) != (init.user, init.box):", "if False:", ROUTES_ASK,
        by="TimeoutError",  # with another's key the test cannot even end it
    ),
    Guard("runner: a message has an end", "R3", SESSIONS, "if len(body.text) > api.MESSAGE_CHARS:", "if False:", ROUTES_ASK),
    Guard(
        "runner: ids are no paths", "F1", HTTP, "    name = request.match_info[part]\n    if not ID.fullmatch(name):", "    name = request.match_info[part]\n    if False:",
        "tests/core/runner/test_files.py::test_ids_that_are_paths_are_refused_by_every_route",
    ),
    Guard(
        "runner: an agent's id is no path", "F1", SESSIONS, "if not ID.fullmatch(body.agent):", "if False:",
        "tests/core/runner/test_files.py::test_an_agents_id_that_is_a_path_is_refused",
    ),
    Guard(
        "a platform tool is never allowed always", "S4", "core/runner/pending_requests.py", 'decision == "allow_always" and asked.tool.startswith(PREFIX)', "False",
        "tests/core/runner/test_requests.py::test_a_platform_tool_that_asks_waits_for_a_person_and_is_never_allowed_always",
    ),
    Guard(
        "runner: a CLI has no environment but what it needs", "S1 S3", "core/runner/cli_argv.py", "        **spec.secrets,  #", "        **__import__(\"os\").environ,\n        **spec.secrets,  #",
        "tests/core/runner/test_files.py::test_a_cli_is_told_nothing_of_the_runners_environment",
    ),
)  # fmt: skip
