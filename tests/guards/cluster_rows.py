"""Boxes in a cluster: whose a pod is, and that no web takes what is another's."""

from tests.guards.guard import Guard

SPAWNER, TURNS = "core/spawner/kubernetes.py", "core/fleet/user_lock.py"
FAULTS = "tests/core/spawner/test_kubernetes.py"
CONTRACT = "tests/contract/test_spawner.py"

GUARDS = (
    Guard(
        "cluster: a pod that served a box is not given to the next", "S2", SPAWNER,
        'used = view.awake and (view.ended or (view.process and view.holder not in ("", box.id)))', "used = False",
        f"{FAULTS}::test_a_process_that_served_an_earlier_box_is_never_given_to_the_next",
    ),
    Guard(
        "cluster: nobody is given a warm box of an older program", "S2", SPAWNER,
        'old = view.awake and backend.images(found["spec"]) != backend.images(wake["spec"])', "old = False",
        f"{FAULTS}::test_a_warm_box_of_an_older_image_is_not_given_to_anybody",
    ),
    Guard(
        "cluster: a late stop ends its own box only", "R4", SPAWNER, "if view.awake and view.holder == holder:", "if view.awake:",
        f"{CONTRACT}::test_a_late_stop_of_an_old_box_leaves_the_new_one_alone[agent-sandbox]",
    ),
    Guard(
        "cluster: an ending pod is not taken for the new one", "S2", SPAWNER, "if not view.awake and not view.resting:", "if False:",
        f"{FAULTS}::test_two_pods_never_serve_one_box_when_it_wakes_while_its_last_pod_is_ending",
    ),
    Guard(
        "cluster: no box is given up while nothing is known", "R4", SPAWNER,
        '            log.warning("box %s: %s", box.id, error)\n            return Poll.RUNNING', "            return Poll.GONE",
        f"{FAULTS}::test_while_the_api_server_is_away_no_box_is_given_up",
    ),
    Guard(
        "cluster: one web at a time changes a box", "R4", TURNS,
        "while not await self._store.claim(name, holder=self._holder, lease_s=LEASE_S):", "while False:",
        "tests/core/fleet/test_two_webs.py::test_both_want_the_users_box_at_once_and_one_of_them_makes_it",
    ),
)  # fmt: skip
