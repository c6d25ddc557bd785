"""The walls beside bubblewrap's: control groups, the disk, the filter on calls, what a repository may ask for."""

from tests.guards.guard import Guard

HERE = "tests/core/spawner"
GROUPS, DISK = "core/spawner/cgroup.py", "core/spawner/disk.py"
POLICY, FOLDER = "core/protocol/managed_settings.py", "core/runner/folder_requests.py"
SAME = f"{HERE}/test_cgroup.py::test_version_1_and_2_are_told_the_same_in_their_own_words"
BOTH = "tests/core/runner/test_folder_requests.py::test_both_walls_say_the_same_of_what_runs_by_itself"
WANTS = "tests/core/runner/test_folder_requests.py"
FAMILY = (
    f"{HERE}/test_seccomp.py::test_sockets_that_no_network_namespace_keeps_in_are_refused_and_others_are_not[x86_64]"
)


def group(what: str, old: str, new: str) -> Guard:
    return Guard(f"control groups: {what}", "R1" if "processes" in what else "R2", GROUPS, old, new, SAME)


def quota(what: str, old: str, new: str, test: str) -> Guard:
    return Guard(f"disk: {what}", "R3", DISK, old, new, f"{HERE}/test_disk.py::{test}")


def settings(what: str, old: str, new: str) -> Guard:
    return Guard(f"managed settings: {what}", "S4", POLICY, old, new, BOTH)


GUARDS = (
    group("spawner_state", "if MEMORY in tree.controllers and wanted.memory_bytes:", "if False:"),
    group("swap, version 1", ', ("memory.memsw.limit_in_bytes", memory)]', "]"),
    group("swap, version 2", ', ("memory.swap.max", "0")]', "]"),
    group("processes", "if PIDS in tree.controllers and wanted.pids:", "if False:"),
    group("processors", "if CPU in tree.controllers and wanted.cpus:", "if False:"),
    quota("who grows", "(used > mark or used > 2 * most)", "used > 2 * most", "test_who_grows_beyond_the_bound_is_over_it_until_they_stop_growing"),
    quota("who is far beyond", "(used > mark or used > 2 * most)", "used > mark", "test_who_is_over_twice_the_bound_is_stopped_in_any_case"),
    quota("many files", "        total_files += 1\n", "", "test_many_small_files_are_too_many"),
    quota("too deep to be counted is over", "if process.returncode == 0:", "if True:", "test_who_makes_counting_impossible_is_over"),
    quota("depth has an end", "if len(way) > DEEPEST:", "if False:", "test_nothing_is_hidden_in_folders_that_are_too_deep_to_be_counted"),
    quota("locked folders", "            os.chmod(way, mode | LOOK)\n", "            pass\n", "test_a_locked_folder_is_counted_and_stays_locked"),
    quota("deleted files that are open", "chain(_deleted(home), _named(home))", "_named(home)", "test_a_deleted_file_that_is_held_open_counts_for_its_user_and_nobody_else"),
    quota("deleted files of others", "and not os.path.samestat(", "and False and not os.path.samestat(", "test_a_deleted_file_that_is_held_open_counts_for_its_user_and_nobody_else[shared id]"),
    Guard(
        "a home goes however deep it is", "R6", "core/spawner/rmtree_safe.py", "src_dir_fd=folder, dst_dir_fd=top)", "src_dir_fd=folder, dst_dir_fd=folder)",
        f"{HERE}/test_local.py::test_a_forgotten_home_goes_however_deep_its_folders_are", by="OSError",
    ),
    quota("deleted files that are only in memory", 'glob(f"/proc/{pid}/map_files/*")', "()", "test_a_deleted_file_that_is_only_in_somebodys_memory_counts"),
    Guard(
        "the filter: room is not reserved", "R3", "core/spawner/seccomp.py", '        (EQUAL, FALLOCATE[column], "unsupported", None),\n', "",
        f"{HERE}/test_seccomp.py::test_what_is_listed_is_refused_and_everything_else_is_let_through[x86_64]",
    ),
    Guard(
        "the filter: nor by another name", "R3", "core/spawner/seccomp.py", '        (EQUAL, IOCTL[column], "ioctl", None),\n', "",
        f"{HERE}/test_seccomp.py::test_room_on_a_disk_is_not_reserved_by_another_name[x86_64]",
    ),
    Guard(
        "the filter: namespaces by clone", "S9", "core/spawner/seccomp.py", '        (EQUAL, CLONE[column], "clone", None),\n', "",
        f"{HERE}/test_seccomp.py::test_a_child_gets_no_namespace_of_its_own_and_threads_are_made[x86_64]",
    ),
    Guard(
        "the filter: clone3, whose flags cannot be seen", "S9", "core/spawner/seccomp.py", '        (EQUAL, CLONE3[column], "unknown", None),\n', "",
        f"{HERE}/test_seccomp.py::test_what_is_listed_is_refused_and_everything_else_is_let_through[x86_64]",
    ),
    Guard(
        "Landlock is tried where nothing else refuses", "S2", "core/spawner/probe.py", "        Path(folder).chmod(0o755)", "        Path(folder).chmod(0o700)",
        f"{HERE}/test_landlock.py::test_a_cage_that_does_not_hold_is_found_out",
    ),
    Guard(
        "Landlock holds before anything is made in the home", "S2", "core/spawner/landlock.py", "    enter(rules)\n    with", "    os.makedirs(rules.temporary)\n    enter(rules)\n    with",
        f"{HERE}/test_landlock.py::test_a_link_in_the_home_makes_nothing_outside_of_it",
    ),
    Guard(
        "a box that nobody wrote down ends with its init", "R6", "core/spawner/process_tree.py", "*(child for pid in named for child in children(pid)), ", "",
        f"{HERE}/test_process_tree.py::test_who_was_not_written_down_is_found_where_sockets_have_a_file_system_of_their_own",
    ),
    Guard(
        "who cannot be looked at is not given up", "R6", "core/config/runtime_dir.py", "except (FileNotFoundError, ProcessLookupError):\n        return 0", "except OSError:\n        return 0",
        f"{HERE}/test_process_tree.py::test_who_has_too_many_files_open_takes_nobody_for_dead_and_hits_nobody",
    ),
    Guard(
        "without control groups all of a user id ends", "R6 S1", "core/spawner/process_tree.py", "    if uid is not None:", "    if False:",
        f"{HERE}/test_landlock.py::test_what_it_started_ends_with_it_without_control_groups_too", by="TimeoutError",
    ),
    quota("links are not followed", "dir_fd=folder, follow_symlinks=False", "dir_fd=folder, follow_symlinks=True", "test_a_sparse_terabyte_is_nothing_and_a_link_leads_nowhere"),
    Guard(
        "the filter: kinds of sockets", "S6 S9", "core/spawner/seccomp.py", '(EQUAL, row[column], "families", None)', "(EQUAL, row[column], None, None)", FAMILY,
    ),
    settings("no way around permissions", '{"disableBypassPermissionsMode": "disable", ', "{"),
    settings("no automatic mode", '    "disableAutoMode": "disable",\n', ""),
    settings("no servers of a repository", '"enableAllProjectMcpServers": False', '"enableAllProjectMcpServers": True'),
    settings("no helpers", '    **dict.fromkeys(_HELPERS, ""),\n', ""),
    settings("no other model", '(*_ELSEWHERE, *_INSIDE_COMMANDS)', '_INSIDE_COMMANDS'),
    settings("no hooks, by the file", '{"allowManagedHooksOnly": True, ', "{"),
    settings("no markets of plugins", ', "strictKnownMarketplaces": []', ""),
    settings("no hooks, by the arguments", '{"disableAllHooks": True, "env"', '{"env"'),
    settings("the address of the model stays", '"env": _ALWAYS["env"] | env}', '"env": _ALWAYS["env"]}'),
    Guard(
        "a server of a repository has a person's yes", "S4", FOLDER, "if isinstance(server, dict) and _named(name, rules):", "if isinstance(server, dict):",
        f"{WANTS}::test_only_a_rule_with_its_whole_name_starts_a_server",
    ),
    Guard(
        "a server's name is compared whole", "S4", FOLDER, 'rule.startswith(f"{word}__")', "rule.startswith(word)",
        f"{WANTS}::test_only_a_rule_with_its_whole_name_starts_a_server",
    ),
    Guard(
        "trust that no person gave is taken back", "S4 S5", FOLDER, "place.pop(_TRUST, False)]", "False]",
        f"{WANTS}::test_trust_that_no_person_gave_is_taken_back_and_nothing_else_changes",
    ),
    Guard(
        "a person is told of hooks that do not run", "S4", FOLDER, "held = [name for name in _HELD if settings.get(name)]", "held = []",
        f"{WANTS}::test_what_a_folder_wants_is_told_by_name",
    ),
)  # fmt: skip
