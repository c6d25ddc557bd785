"""NiceGUI's socket: whose it is, what it may speak of, and how long."""

from tests.guards.guard import Guard

TEST, DOORS = "tests/auth/test_sockets.py", "tests/auth/test_layered_guards.py"
FILE = "auth/sockets.py"
OWN_PAGE = f"{TEST}::test_from_ones_own_page_nothing_can_be_said_about_another_page"

GUARDS = (
    Guard(
        "the Origin of a socket is compared whole", "W2 A8", "auth/guard.py",
        'if headers.get(b"origin", b"").decode("latin-1").lower() != origin:',
        'if not headers.get(b"origin", b"").decode("latin-1").lower().startswith(origin):',
        f"{DOORS}::TestSockets::test_a_socket_of_a_look_alike_page_is_refused",
    ),
    Guard(
        "a socket has the login of the request that rendered the page", "W1 W3", FILE,
        "or _bind_of(client) != bind or", "or",
        f"{TEST}::test_another_users_cookie_and_a_stolen_client_id_is_refused",
    ),
    Guard(
        "anonymous pages are told apart by a random cookie", "W1", "auth/guard.py",
        'state["bind"] = f"visit:{visit}"', 'state["bind"] = "visit:"',
        f"{TEST}::test_an_anonymous_page_belongs_to_the_browser_that_loaded_it",
    ),
    Guard(
        "a page does not join for another one", "W3", FILE,
        'if bound is None or not isinstance(data, dict) or data.get("client_id") != bound.client_id:\n            return False',
        "if bound is None or not isinstance(data, dict):\n            return False",
        f"{DOORS}::TestSockets::test_a_page_is_not_joined_by_a_socket_of_another_one_even_if_nicegui_would_let_it",
    ),
    Guard(
        "a socket speaks of its own page only", "W3 Z4", FILE,
        'if bound is None or not isinstance(message, dict) or message.get("client_id") != bound.client_id:\n                return\n'
        "            client = Client.instances.get(bound.client_id)\n"
        "            if client is not None and sid in client._socket_to_document_id and shape(message):",
        'if bound is None or not isinstance(message, dict):\n                return\n'
        '            client = Client.instances.get(str(message.get("client_id")))\n'
        "            if client is not None and shape(message):", OWN_PAGE,
    ),
    Guard(
        "words have their form", "W3", FILE, " and shape(message):", ":",
        f"{TEST}::test_malformed_words_change_nothing_and_write_no_error[words5]",
    ),
    Guard(
        "a refused socket is hung up on", "W4", FILE,
        '        background_tasks.create(self._hang_up(eio_sid), name="hang up refused socket")\n', "",
        f"{TEST}::test_a_socket_for_a_page_that_has_gone_is_told_to_load_anew_and_closed",
    ),
    Guard(
        "a silent socket is hung up on", "W4", FILE,
        'background_tasks.create(self._hang_up(eio_sid), name="hang up silent socket")', "pass",
        f"{TEST}::test_a_socket_that_says_nothing_is_closed", by="TimeoutError",
    ),
    Guard(
        "sockets end with their login, wherever it was ended", "W5 A4", FILE,
        "        if role is None:\n            guard.end(login)", "        if role is None:\n            pass",
        f"{TEST}::test_a_login_ended_by_another_process_loses_its_sockets_within_two_seconds", by="TimeoutError",
    ),
    Guard(
        "sockets end at once with a login that is ended here", "W5 A4", "auth/service.py",
        "    logins.on_end(sockets.end)\n", "",
        f"{TEST}::test_signing_out_closes_all_sockets_of_the_login_and_no_others",
    ),
    Guard(
        "what is said after the end is not heard", "W5", FILE,
        "            del self._bound[sid]\n", "            pass\n",
        f"{TEST}::test_signing_out_closes_all_sockets_of_the_login_and_no_others",
    ),
    Guard(
        "a browser's words in our log have an end", "L1", FILE, "if bound.lines <= LOG_LINES:", "if True:",
        f"{DOORS}::TestSockets::test_what_a_browser_says_in_our_log_is_little_and_cannot_pose_as_ours",
    ),
    Guard(
        "a browser's words in our log are quoted", "L1", FILE, 'browser_log.info("%r",', 'browser_log.info("%s",',
        f"{DOORS}::TestSockets::test_what_a_browser_says_in_our_log_is_little_and_cannot_pose_as_ours",
    ),
)  # fmt: skip
