"""Guards of the gateway: callers, limits, stored events, and the model key that no box ever has."""

from tests.guards.guard import Guard

HERE = "tests/core/gateway"
BOX, HOSTILE, INGEST = f"{HERE}/test_box_api.py", f"{HERE}/test_sanitize.py", f"{HERE}/test_ingest.py"
KEY = f"{HERE}/test_anthropic.py::test_the_key_is_ours_and_the_message_is_theirs"
API, TAME, BATCH, ROOM = (f"core/gateway/{name}.py" for name in ("box_api", "sanitize", "batch", "box_limits"))
VERTEX = "core/gateway/providers/vertex.py"
PASSING = "core/gateway/providers/passthrough.py"
BOUND = f"{HOSTILE}::test_everything_has_a_bound"
METER, PRICES = f"{HERE}/metering/test_meter.py", f"{HERE}/metering/test_prices.py"
LIMITS = "core/gateway/metering/limits.py"
TOOLS, TOOL = "core/tools", "tests/core/tools/test_registry.py"

GUARDS = (
    Guard(
        "a call that would pass a limit is not made", "R4", LIMITS, "if one.before + self._reserved[one.row] + cost > most:", "if False:",
        f"{METER}::test_the_call_that_would_pass_a_limit_is_refused_before_it_is_made[run]",
    ),
    Guard(
        "calls at once see what each other may cost", "R4", LIMITS, "if one.before + self._reserved[one.row] + cost > most:", "if one.before + cost > most:",
        f"{METER}::test_twenty_calls_at_once_pass_a_limit_by_no_more_than_one_call_each",
    ),
    Guard(
        "no limit is kept for a model without a price", "R4", LIMITS, "if estimate_usd is None and any(limit.usd for limit in limits):", "if False:",
        f"{METER}::test_a_limit_that_no_price_can_hold_refuses_the_model",
    ),
    Guard(
        "a call is booked before its end is told", "R4", "core/gateway/metering/meter.py",
        "            if self._usage.ended:\n                await self.end()\n", "",
        f"{METER}::test_a_call_is_in_all_rows_once_with_the_model_that_answered",
    ),
    Guard(
        "a model without a price is not free", "R4", "core/gateway/metering/prices.py",
        "if price is None or used.fast:\n            return None", "if price is None or used.fast:\n            return 0.0",
        f"{PRICES}::test_a_model_that_is_not_in_the_list_has_no_price_and_is_not_free[gpt-6]",
    ),
    Guard(
        "a token is for one box", "S7", "core/gateway/identity.py", 'return f"model:{self.box}"', 'return "model:box1"',
        f"{BOX}::test_a_token_of_one_box_is_nothing_in_another",
    ),
    Guard(
        "a token is for one user", "S7", "core/gateway/identity.py", 'if claims.get("user") != caller.user:', "if False:",
        f"{BOX}::test_a_token_for_another_user_or_another_audience_is_refused",
    ),
    Guard(
        "a token ends", "S7", "core/gateway/identity.py", "MODEL_TOKEN_S = 24 * 3600", "MODEL_TOKEN_S = 24 * 3600 * 1000",
        f"{HERE}/test_identity.py::test_a_token_of_yesterday_is_none",
    ),
    Guard(
        "the runner's calls are the runner's", "S1 S7", API, "        verify_runner(_bearer(request), caller=caller)\n", "",
        f"{BOX}::test_what_is_the_runners_no_other_program_in_its_box_gets",
    ),
    Guard(
        "the runner's word is its box's", "S1 S7", "core/protocol/tokens.py", 'return f"gateway:own:{box}"', 'return "gateway:own"',
        f"{BOX}::test_what_is_the_runners_no_other_program_in_its_box_gets",
    ),
    Guard(
        "a token is signed by us", "S7", "core/protocol/tokens.py",
        "URLSafeTimedSerializer(key, salt=audience).loads(token, return_timestamp=True)",
        "(URLSafeTimedSerializer(key, salt=audience).loads_unsafe(token)[1], datetime.now(UTC))",
        "tests/core/protocol/test_tokens.py::test_a_token_is_refused_with_another_key_for_another_audience_or_when_old",
    ),
    Guard(
        "a token is for one audience", "S7 Z5", "core/protocol/tokens.py",
        "URLSafeTimedSerializer(key, salt=audience).loads(", "URLSafeTimedSerializer(key, salt=audience[:6]).loads(",
        "tests/core/protocol/test_tokens.py::test_a_token_says_to_its_audience_what_was_signed", by="NotSignedIn",
    ),
    Guard(
        "the model is for living sessions", "S7", API,
        'session = await self._store.get(Session, str(claims.get("session")), owner=caller.user)',
        'session = Session(id=str(claims["session"]), agent=str(claims["agent"]), created_at=now(), updated_at=now())',
        f"{BOX}::test_a_token_ends_with_its_session",
    ),
    Guard(
        "the model is for those with a token", "S7 Z5", API,
        "        claims = self._claims(request, caller)\n", '        claims = {"session": "s1"}\n',
        f"{BOX}::test_without_a_token_there_is_no_model",
    ),
    Guard(
        "a box is known by its socket", "Z2 S7", "core/gateway/unix_listeners.py",
        "caller = self._by_path.get(path) if isinstance(path, str) else None",
        "caller = next(iter(self._by_path.values()), None)",
        f"{BOX}::test_two_boxes_at_once_are_never_taken_for_each_other",
    ),
    Guard(
        "a box's socket is for its owner alone", "S2", "core/config/runtime_dir.py", "path.chmod(0o600 if group", "path.chmod(0o666 if group",
        f"{BOX}::test_the_box_socket_is_for_its_owner_alone",
    ),
    Guard(
        "the gateway's socket is for its owner alone", "S2", "core/gateway/local_server.py",
        "runtime.gateway_socket.chmod(0o600)", "runtime.gateway_socket.chmod(0o666)",
        f"{HERE}/test_local_server.py::test_it_answers_on_its_socket_and_says_who_it_is",
    ),
    Guard(
        "a box's name is no path", "F1", "core/gateway/control.py", "    if not BOX_ID.fullmatch(name):\n", "    if False:\n",
        f"{HERE}/test_control.py::test_an_id_that_is_no_name_is_refused",
    ),
    Guard(
        "a box's process lives", "S7", "core/gateway/unix_listeners.py", "            if not process.alive():\n                raise", "            if False:\n                raise",
        f"{HERE}/test_control.py::test_a_process_that_does_not_live_is_refused",
    ),
    Guard(
        "what a dead box leaves is removed", "R6", "core/gateway/unix_listeners.py",
        "                await self._discard(box_id, listener.process)\n", "                pass\n",
        f"{HERE}/test_local_server.py::test_a_box_that_lives_keeps_it_and_one_that_dies_is_buried", by="TimeoutError",
    ),
    Guard(
        "the words of a draft are short", "R3", f"{TOOLS}/draft_agent.py", "name: Annotated[str, Meta(max_length=NAME_CHARS)]", "name: Annotated[str, Meta()]",
        f"{TOOL}::test_a_text_that_does_not_fit_is_refused_and_not_cut_without_a_word",
    ),
    Guard(
        "the words of a draft are plain", "L1", f"{TOOLS}/tool.py", "in visible(text)).split())", "in text).split())",
        f"{BOX}::test_the_builder_changes_the_agents_record",
    ),
    Guard(
        "an icon is one of ours", "X3", f"{TOOLS}/draft_agent.py", "if given.icon in ICONS:", "if given.icon:",
        f"{TOOL}::test_what_a_draft_leaves_out_stays_and_an_icon_that_there_is_not_is_said",
    ),
    Guard(
        "only a builder session has platform tools", "Z2", f"{TOOLS}/registry.py", "if context.session.kind != BUILDER or name not in TOOLS:", "if name not in TOOLS:",
        f"{BOX}::test_a_tool_that_a_session_does_not_have_is_not_found",
    ),
    Guard(
        "a verdict never quotes a file", "S3", "core/services/test_verdicts.py", 'evidence="" if check.path else _cut(evidence),', "evidence=_cut(evidence),",
        "tests/core/services/test_test_verdicts.py::test_a_red_check_quotes_the_answer_but_never_a_file",
    ),
    Guard(
        "a pattern of a test case cannot take long", "R4", "core/domain/agent_tests.py", " or _DANGEROUS.search(pattern):", ":",
        "tests/core/services/test_test_verdicts.py::test_a_pattern_that_could_take_long_is_refused",
    ),
    Guard(
        "a box has so many calls at once", "R4", ROOM, "        async with self._slot(self._calls, OVERLOADED):\n", "        if True:\n",
        f"{HERE}/test_box_limits.py::test_large_bodies_and_those_of_unknown_length_are_fewer",
    ),
    Guard(
        "a box has so many large calls at once", "R2", ROOM,
        "if length_bytes is not None and length_bytes <= LARGE_BYTES:", "if True:",
        f"{HERE}/test_box_limits.py::test_large_bodies_and_those_of_unknown_length_are_fewer",
    ),
    Guard(
        "so many of a box wait and no more", "R4", ROOM, "if self._waiting >= WAITING:", "if False:",
        f"{HERE}/test_box_limits.py::test_so_many_wait_and_the_next_is_sent_away_at_once", by="TimeoutError",
    ),
    Guard(
        "a declared body is not over the limit: gateway", "R2", "core/gateway/http_errors.py",
        "if (request.content_length or 0) > limit_bytes:", "if False:",
        f"{HERE}/test_identity.py::test_a_body_that_says_it_is_too_long_is_not_read", by="TimeoutError",
    ),
    Guard(
        "a body is not over the limit: gateway", "R2", "core/gateway/http_errors.py",
        "            if len(body) > limit_bytes:\n", "            if False:\n",
        f"{HERE}/test_identity.py::test_a_body_that_does_not_say_its_length_is_read_so_far_and_no_further", by="TimeoutError",
    ),
    Guard(
        "a batch has so many events", "R3", BATCH, "if len(msgspec.json.decode(body, type=BatchShape).events) > BATCH_EVENTS:", "if False:",
        f"{INGEST}::test_too_many_events_and_too_many_bytes_are_refused",
    ),
    Guard(
        "an event has so many values", "R4", BATCH, "if values > min(left, EVENT_VALUES):", "if False:",
        f"{INGEST}::test_an_event_that_cannot_be_kept_gives_its_number_to_a_notice[bad3]",
    ),
    Guard(
        "numbers of a batch follow each other", "Z6", BATCH, "if any(then != first + 1 for first, then in pairwise(numbers)):", "if False:",
        f"{INGEST}::test_hostile_shapes_are_refused_and_nothing_is_written",
    ),
    Guard(
        "numbers begin at one", "Z6", BATCH, "if numbers and not 1 <= numbers[0] <= HIGHEST_SEQ:", "if False:",
        f"{INGEST}::test_hostile_shapes_are_refused_and_nothing_is_written",
    ),
    Guard(
        "a log that used its numbers again is found out", "Z6", "core/gateway/ingest.py",
        "            if not _same(kept.get(seq_of(event)), event):\n", "            if False:\n",
        f"{INGEST}::test_a_log_that_lost_its_end_and_used_its_numbers_again_is_told_so",
    ),
    Guard(
        "times are between the session's beginning and now", "L1", "core/gateway/ingest.py",
        "at = min(max(at, _floor(session)), present + AHEAD)", "pass",
        f"{INGEST}::test_times_are_between_the_sessions_beginning_and_now",
    ),
    Guard(
        "a text has an end", "R3", TAME, "            return value[:limit]\n", "            return value\n", BOUND,
    ),
    Guard("a name is short", "R3", TAME, "limit = NAME_CHARS if name in SHORT and depth == 1 else TEXT_CHARS", "limit = TEXT_CHARS", BOUND),
    Guard("a list has an end", "R3", TAME, "for item in value[:ITEMS]]", "for item in value]", BOUND),
    Guard("a number is one that everybody can keep", "R3", TAME, "value if abs(value) <= EXACT_INT else", "value if True else", BOUND),
    Guard(
        "a box starts so many CLIs in a time", "R4", API, "        caller.limits.count_start()\n        asked", "        asked",
        f"{BOX}::test_a_box_asks_store_and_vault_so_often_and_no_more",
    ),
    Guard(
        "a box writes so many drafts in a time", "R4", API, "        caller.limits.count_start()\n        call", "        call",
        f"{BOX}::test_a_box_asks_store_and_vault_so_often_and_no_more",
    ),
    Guard(
        "a time is one everywhere", "R3", TAME, "or not _is_dateable(event):", "or False:",
        f"{HOSTILE}::test_a_time_that_is_none_elsewhere_is_none",
    ),
    Guard("a key is short", "R3", TAME, "{key[:NAME_CHARS]:", "{key:", BOUND),
    Guard(
        "depth has an end", "R3", TAME, "case dict() if depth < DEPTH:", "case dict():",
        f"{HOSTILE}::test_what_is_too_deep_is_cut_there",
    ),
    Guard(
        "what a runner says of money does not count", "R4", TAME, "        cost_usd=0.0,  # a runner's", "        # a runner's",
        f"{HOSTILE}::test_a_turn_costs_what_no_runner_says",
    ),
    Guard(
        "what a turn used is bounded", "R4", TAME, "name: min(max(amount, 0), TOKENS) for", "name: amount for",
        f"{HOSTILE}::test_a_turn_costs_what_no_runner_says",
    ),
    Guard(
        "what a context holds is bounded", "R4", TAME, "window_tokens=min(max(event.window_tokens, 0), TOKENS),", "",
        f"{HOSTILE}::test_a_turn_costs_what_no_runner_says",
    ),
    Guard("a box's own token does not go upstream", "S1 S7", PASSING, '"x-api-key", "authorization", "cookie"', '"x-api-key", "cookie"', KEY),
    Guard("a box's cookies do not go upstream", "S7", PASSING, '"authorization", "cookie", "forwarded"', '"authorization", "forwarded"', KEY),
    Guard("cookies from upstream do not reach a box", "S7", PASSING, '"upgrade", "set-cookie",', '"upgrade",', KEY),
    Guard(
        "the key is not sent where a redirect leads", "S6 S1", PASSING, "allow_redirects=False", "allow_redirects=True",
        f"{HERE}/test_anthropic.py::test_redirects_are_not_followed_with_the_key",
    ),
    Guard(
        "our token opens no other address of Vertex", "S1 S6", VERTEX, "    if not MODEL.fullmatch(model):\n", "    if False:\n",
        f"{HERE}/test_vertex.py::test_no_other_address_is_reached_by_the_name_of_a_model[gpt-4]",
    ),
    Guard(
        "what Vertex quotes of the token reaches no box", "S1 S3", VERTEX, "Redactor([*self._secrets, *self._tokens])", "Redactor(self._secrets)",
        f"{HERE}/test_vertex.py::test_googles_refusals_are_said_in_the_words_of_the_api_and_without_the_token[429-429-rate_limit_error]",
    ),
    Guard(
        "a model that falls silent is given up", "R4", PASSING, "self._upstream.content.set_exception(", "str(",
        f"{HERE}/test_anthropic.py::test_a_model_that_falls_silent_ends_in_an_error_that_is_an_event",
    ),
    Guard(
        "who hangs up ends the call upstream", "R4", "core/gateway/api_server.py", "handler_cancellation=True", "handler_cancellation=False",
        f"{HERE}/test_local_server.py::test_a_box_that_hangs_up_ends_the_call_of_the_model", by="TimeoutError",
    ),
    Guard(
        "a key does not show itself", "S3", "core/config/settings.py", "return \"Secret('…')\" if self else \"Secret('')\"", "return str.__repr__(self)",
        "tests/core/config/test_settings.py::test_a_secret_does_not_show_itself",
    ),
)  # fmt: skip
