"""The gateway's port: the first line of a connection, who is let in by it, and for how long."""

from tests.guards.guard import Guard

TEST = "tests/core/gateway/test_tcp_listener.py::test_"
FAR, ARRIVAL, PREAMBLE = "core/gateway/tcp_listener.py", "core/gateway/handshake.py", "core/protocol/handshake.py"
OWN_BOX = f"{TEST}a_line_is_good_for_its_own_box_and_for_a_minute"
SHARED = "tests/core/gateway/test_shared_ingest.py::test_the_same_turn_at_two_gateways_at_once_is_counted_once"

GUARDS = (
    Guard("far: the line is proven", "S7 Z2", FAR, "        handshake.verify(token, key=known.box.key)\n", "", OWN_BOX),
    Guard("far: the line is of this minute", "S7", PREAMBLE, "TOKEN_S = 60  #", "TOKEN_S = 600  #", OWN_BOX, by="AssertionError"),
    Guard("far: of the future there is none", "S7", "core/protocol/tokens.py", "if not -SKEW_S <= age_s <= max_age_s:", "if not age_s <= max_age_s:", OWN_BOX),
    Guard(
        "far: nothing is unpacked unproven", "R2", PREAMBLE, r'rb"OMA/1 ([A-Za-z0-9_-]{1,256}\.', r'rb"OMA/1 ([.A-Za-z0-9_-]{1,256}\.',
        "tests/core/protocol/test_handshake.py::test_what_is_compressed_is_no_line",
    ),
    Guard(
        "far: who is at the other end is told by the connection", "S7 Z2", FAR,
        "known = self._by_transport.get(request.transport) if request.transport else None", "known = next(iter(self._by_transport.values()), None)",
        f"{TEST}two_boxes_at_once_are_never_taken_for_each_other",
    ),
    Guard(
        "far: a deleted box is hung up on", "S7", FAR, "        except NotFound:\n            self._hang_up(id)\n", "        except NotFound:\n",
        f"{TEST}a_deleted_box_is_nobody_within_seconds", by="TimeoutError",
    ),
    Guard(
        "far: a deleted box is noticed", "S7", FAR, "        for id in list(self._known):\n", "        for id in ():\n",
        f"{TEST}a_deleted_box_is_nobody_within_seconds", by="TimeoutError",
    ),
    Guard(
        "far: another key is another box", "S7", FAR, "if known and (known.box.user, known.box.key) == (box.user, box.key):", "if known:",
        f"{TEST}a_box_whose_key_is_another_one_now_is_another_box", by="TimeoutError",
    ),
    Guard(
        "far: a line has an end", "R3", ARRIVAL, "        elif len(line) > LINE_BYTES:\n", "        elif False:\n",
        f"{TEST}a_line_that_does_not_end_is_not_waited_for", by="TimeoutError",
    ),
    Guard(
        "far: a probe has an end", "R3", ARRIVAL, "        elif len(self._first) > HEAD_BYTES:\n", "        elif False:\n",
        f"{TEST}a_line_that_does_not_end_is_not_waited_for", by="TimeoutError",
    ),
    Guard(
        "far: who says nothing is hung up on", "R5", ARRIVAL, "self._loop.call_later(self._line_s, self.abort)", "self._loop.call_later(3600, self.abort)",
        f"{TEST}who_says_nothing_is_hung_up_on_after_a_time", by="TimeoutError",
    ),
    Guard(
        "far: one address has so many undecided connections", "R5", ARRIVAL, " or same >= OF_ONE_ADDRESS:", ":",
        f"{TEST}one_address_has_so_many_undecided_connections",
    ),
    Guard(
        "far: two gateways do not follow up a session at once", "R4", "core/gateway/ingest.py", "            if not self._shared:\n", "            if True:\n", SHARED,
    ),
)  # fmt: skip
