"""Guards of limits: rates of strangers and users, sizes of bodies, headers and frames, numbers of sockets."""

from tests.guards.guard import Guard

GUARD, RATE, FRAMES, BODY = "auth/guard.py", "auth/rate.py", "auth/socket_limits.py", "auth/body_limits.py"
DOOR, ALONE, COUNT = (
    "tests/auth/test_guard.py::TestLimits",
    "tests/auth/test_socket_limits.py",
    "tests/auth/test_rate.py",
)
CUT = f"{ALONE}::test_anything_else_cuts_the_socket"
FOR_A_PAGE = f"{ALONE}::test_a_socket_is_for_a_page_and_begins_anew"


def frame(what: str, old: str, new: str, case: str) -> Guard:
    return Guard(f"frames: {what}", "W6", FRAMES, old, new, f"{CUT}[{case}]")


GUARDS = (
    Guard(
        "a user is slowed, whatever the address", "R5", GUARD,
        "            await self._rates.hit(kind, user.id)\n", "            pass\n",
        f"{DOOR}::test_a_user_is_limited_by_account_and_reading_and_changing_apart[POST-item1-GET]",
    ),
    Guard(
        "strangers are slowed on other pages, too", "R5", GUARD,
        '            await self._rates.hit(STRANGER, network_of(state["address"]))\n', "            pass\n",
        f"{DOOR}::test_a_strangers_other_requests_have_a_limit_of_their_own",
    ),
    Guard(
        "each is counted alone", "R5", RATE, "if not await self._windows.hit(item, who):", "if not await self._windows.hit(item):",
        f"{COUNT}::test_each_is_counted_alone_and_told_how_long_to_wait",
    ),
    Guard(
        "counts are bounded", "R5", RATE, "        if len(self._counts) > self._most:\n", "        if False:\n",
        f"{COUNT}::test_what_is_remembered_is_bounded_and_a_refused_flood_adds_nothing",
    ),
    Guard(
        "what stands before the body is not too large", "R5", GUARD, "        _short_head(scope)\n", "",
        f"{DOOR}::test_too_much_in_front_of_the_body_is_refused[headers0]",
    ),
    Guard(
        "a body that says no length is not over the limit", "R5", BODY, "        if self._bytes > self._most:\n", "        if False:\n",
        f"{ALONE}::test_a_body_that_says_no_length_is_read_so_far_and_no_further",
    ),
    Guard(
        "every body is counted", "R5", GUARD, "await self.app(scope, Body(receive, self._body_limit(scope)), marked)", "await self.app(scope, receive, marked)",
        f"{DOOR}::test_a_body_over_the_limit_is_refused_declared_or_not",
    ),
    Guard(
        "polling is refused before the application", "W1", GUARD, '            raise BadInput("sockets only", code="no_polling")\n', "            pass\n",
        "tests/auth/test_guard.py::TestStrangers::test_polling_for_sockets_is_refused",
    ),
    Guard("a socket's page has an id", "W4", GUARD, "or named is None or", "or", f"{FOR_A_PAGE}[{'/_nicegui_ws/socket.io/'}-transport=websocket]"),
    Guard(
        "a socket is NiceGUI's", "W1", GUARD, 'if scope["path"] != SOCKET or named', "if named",
        f"{FOR_A_PAGE}[/_nicegui_ws/other/-client_id=1f6f4ff0-2f0c-4e7b-8a1d-0123456789ab&transport=websocket]",
    ),
    Guard(
        "a socket does not take over a session", "W1", GUARD, ' or "sid" in query:', ":",
        f"{FOR_A_PAGE}[/_nicegui_ws/socket.io/-client_id=1f6f4ff0-2f0c-4e7b-8a1d-0123456789ab&transport=websocket&sid=x]",
    ),
    Guard(
        "a socket is no upgrade of polling", "W1", GUARD, 'or query.get("transport") != ["websocket"] or', "or",
        f"{FOR_A_PAGE}[/_nicegui_ws/socket.io/-client_id=1f6f4ff0-2f0c-4e7b-8a1d-0123456789ab&transport=polling]",
    ),
    Guard(
        "seats are counted", "W6 R5", FRAMES, "if self._taken[who] >= most:", "if False:",
        f"{ALONE}::test_a_slot_is_taken_until_it_is_left_and_each_has_their_own",
    ),
    frame("text only", '            return "binary"\n', '            return ""\n', "binary"),
    frame("not too large", "if len(text) > MAX_FRAME_BYTES:", "if False:", "too large"),
    frame("JSON, and not too deep", '    except ValueError:\n        return False\n', "    except ValueError:\n        return True\n", "too deep"),
    frame("NiceGUI's words only", " and said[0] in WORDS", "", "another word"),
    frame("kinds of packets", '    if head is None:\n        return False\n', "    if head is None:\n        return True\n", "another namespace"),
    Guard(
        "frames: not too often", "W6", FRAMES, "        return self._left >= 0\n", "        return True\n",
        f"{ALONE}::test_so_many_at_once_and_so_many_in_the_long_run",
    ),
    Guard(
        "frames: a long one counts as several", "W6", FRAMES, "self._affordable(1 + len(text) / FREE_CHARS)", "self._affordable(1)",
        f"{ALONE}::test_so_many_at_once_and_so_many_in_the_long_run",
    ),
    Guard(
        "gateway's log: one entry of a kind a minute", "T2-4", "core/observability/log_bounds.py",
        "if time.monotonic() - since < AGAIN_S:", "if False:",
        "tests/core/observability/test_log_bounds.py::test_nonsense_of_boxes_is_a_line_a_minute_and_no_traceback",
    ),
    Guard(
        "gateway's log: a new file above a size", "T2-4", "core/observability/log_bounds.py",
        "or about.st_size <= FILE_BYTES:", "or True:",
        "tests/core/observability/test_log_bounds.py::test_a_log_that_is_too_large_goes_on_in_a_new_file",
    ),
)  # fmt: skip
