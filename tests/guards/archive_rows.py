"""Guards of backups: one user's folder cannot stop the restore of the others (SECURITY.md, T2-3)."""

from tests.guards.guard import Guard

HERE = "tests/core/operations/test_hostile_homes.py"
PACK, UNPACK = "core/operations/archive.py", "core/operations/unarchive.py"
GUARDS = (
    Guard("archive: one bad entry keeps no other back", "T2-3", UNPACK, "error.errno in FATAL:", "True:", f"{HERE}::test_an_entry_that_cannot_be_made_is_named_and_the_rest_comes_back", by="StoreUnavailable"),
    Guard("archive: a backup is read again", "T2-3", "core/operations/backup.py", "                verify(archive, taken)\n", "                pass\n", f"{HERE}::test_a_backup_that_cannot_be_read_again_is_not_called_one", by="Failed"),
    Guard("archive: names go to a terminal in plain letters", "T2-3", "core/operations/commands.py", "char if char.isprintable() else ascii(char)[1:-1]", "char", f"{HERE}::test_a_restore_that_left_something_out_says_so_in_plain_letters_and_by_its_exit_status"),
    Guard("archive: what a restore left out is its exit status", "T2-3", "core/operations/commands.py", "INCOMPLETE if left_out.count else 0", "0", f"{HERE}::test_a_restore_that_left_something_out_says_so_in_plain_letters_and_by_its_exit_status"),
    Guard("archive: nothing is made through a link", "F3", UNPACK, "ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC", "ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC", "tests/core/operations/test_backup.py::test_an_archive_never_writes_outside_its_folder[through a link]"),
    Guard("export: a file of holes is named, not sent", "T2-8", "core/runner/export.py", "if about.st_size > HOLLOW_BYTES and", "if False and", "tests/core/runner/test_export.py::test_a_file_of_holes_a_locked_folder_and_an_empty_one_are_named_and_take_no_time"),
)  # fmt: skip
