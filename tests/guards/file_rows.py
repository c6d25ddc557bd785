"""Guards of an agent's files: no path leads out, no save overwrites what was not seen, no upload goes on for ever."""

from tests.guards.guard import Guard

BENEATH, WRITING = "core/runner/files/beneath.py", "core/runner/files/writing.py"
PATHS, API = "tests/core/runner/test_hostile_paths.py", "tests/core/runner/test_files_api.py"
WEB = "tests/web/test_files.py"

GUARDS = (
    Guard(
        "files: the kernel keeps paths below the folder", "F1 F2", BENEATH, "0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)", "0, 0)",
        f"{PATHS}::test_no_path_leads_out_of_the_folder[openat2]",
    ),
    Guard(
        "files: without openat2 no link is followed", "F1 F2", BENEATH, "(flags if last else FOLDER) | os.O_NOFOLLOW | os.O_CLOEXEC", "(flags if last else FOLDER) | os.O_CLOEXEC",
        f"{PATHS}::test_no_path_leads_out_of_the_folder[without]",
    ),
    Guard(
        "files: an upload has an end", "F4", WRITING, "        if self.size_bytes > self._limit:", "        if False:",
        f"{API}::test_an_upload_over_the_limit_or_broken_off_leaves_nothing",
    ),
    Guard(
        "files: what was broken off is removed", "F4", WRITING, "            os.unlink(self.name, dir_fd=self.folder)", "            pass",
        f"{API}::test_an_upload_over_the_limit_or_broken_off_leaves_nothing", by="TimeoutError",
    ),
    Guard(
        "files: a file is kept and not shown", "F5 X6", "web/api/files.py", 'f"attachment; filename', 'f"inline; filename',
        f"{WEB}::test_no_file_is_a_page_of_ours",
    ),
    Guard(
        "files: a page of files is bounded", "F5", "core/runner/files/listing.py", "    found = keys[start : start + limit]", "    found = keys[start:]",
        f"{API}::test_a_folder_lists_folders_first_and_page_after_page",
    ),
    Guard(
        "files: a save is over what was read", "F6", WRITING, 'if if_match not in ("", ANYTHING) and not revision.matches(before, if_match):', "if False:",
        f"{API}::test_a_save_over_a_changed_file_is_refused_and_both_stay",
    ),
    Guard(
        "files: a save waits for who is writing", "F6", WRITING, "        _settle(out)\n", "",
        f"{PATHS}::test_a_program_that_opens_the_old_file_just_after_the_swap_is_noticed",
    ),
    Guard(
        "files: a save waits for who is opening", "F6", WRITING, "            if not quiet:\n                time.sleep(LOOK_S)\n", "",
        f"{PATHS}::test_a_program_that_opens_the_old_file_just_after_the_swap_is_noticed",
    ),
    Guard(
        "files: the newest of two changes stays", "F6", WRITING, "    _put_back(parent, name, staged)\n", "    rename(staged.folder, staged.name, parent, name, RENAME_EXCHANGE)\n",
        f"{PATHS}::test_of_two_changes_around_a_swap_the_newest_stays",
    ),
)  # fmt: skip
