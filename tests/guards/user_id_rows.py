"""A user id for each user's box: nobody else's, without groups and rights, and files that follow it."""

from tests.guards.guard import Guard

OWNER, PROCESS, LOCAL, STAGE = (
    f"core/spawner/{name}.py" for name in ("user_ids", "process", "local", "mount_namespace")
)
TEST = "tests/core/spawner/test_user_ids.py::test_"
BOXES = f"{TEST}each_users_box_runs_as_an_id_of_its_own_without_groups_and_without_rights"
ALONE = f"{TEST}without_any_other_wall_an_id_does_not_see_what_is_anothers_or_ours"
LIMITS = f"{TEST}limits_hold_for_it"
GUARDS = (
    Guard(
        "owner: a box runs as its user's id",
        "S1 S2",
        LOCAL,
        "return None if sandbox ==",
        "return None if True or sandbox ==",
        f"{BOXES}[bubblewrap]",
    ),
    Guard("owner: ids keep users apart alone", "S1 S2", PROCESS, '"user": command.uid, "group"', '"group"', ALONE),
    Guard(
        "owner: no group of ours",
        "S2",
        PROCESS,
        '"group": command.uid, "extra_groups": []',
        '"extra_groups": [0]',
        f"{BOXES}[landlock]",
    ),
    Guard(
        "owner: two users never share an id",
        "S1",
        OWNER,
        "            while uid in taken:",
        "            while False:",
        f"{TEST}two_users_never_have_the_same",
    ),
    Guard(
        "owner: the trial's id is nobody's",
        "S1",
        OWNER,
        " | {TRIAL}\n",
        "\n",
        f"{TEST}the_id_of_the_trial_is_nobodys",
    ),
    Guard(
        "owner: links are not followed",
        "F1 F2",
        OWNER,
        "os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)",
        "os.chown(name, uid, uid, dir_fd=folder)",
        f"{TEST}all_of_a_home_is_given_and_nothing_beside_it_and_it_goes_back",
    ),
    Guard(
        "owner: a walk that was cut off begins again",
        "S1",
        OWNER,
        "    try:\n        # By descriptor",
        "    os.chown(home, uid, uid)\n    try:\n        # By descriptor",
        f"{TEST}a_walk_that_was_cut_off_begins_again",
    ),
    Guard(
        "owner: a folder of ours is for one group",
        "S2",
        OWNER,
        "folder.chmod(0o750)",
        "folder.chmod(0o755)",
        f"{TEST}a_folder_of_ours_can_be_passed_by_one_group_and_read_by_nobody_else",
    ),
    Guard(
        "owner: no right can be had again",
        "S9",
        STAGE,
        "LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)",
        "pass",
        f"{BOXES}[landlock]",
    ),
    Guard("owner: limits come along", "S8", PROCESS, "*bounds, ", "", LIMITS),
)
