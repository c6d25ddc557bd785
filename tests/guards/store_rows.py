"""Guards of ownership: the Store's owner in every verb, use cases that check it, administrators' rights, deletion."""

from tests.guards.guard import Guard

CONTRACT = "tests/contract/test_store.py"
SQLITE = "core/store/sqlite.py"
OTHERS = f"{CONTRACT}::TestRecords::test_a_record_of_another_owner_does_not_exist"
LOG = f"{CONTRACT}::TestEvents::test_the_log_of_another_owner_is_empty"
FORGOTTEN = f"{CONTRACT}::TestForgetting::test_nothing_of_a_forgotten_user_is_left_and_nothing_of_another_is_touched"
CHARLIE = "tests/core/services/test_other_users.py"
ADMIN = "tests/core/services/test_account.py::TestPeople"

GUARDS = (
    Guard(
        "a record is its owner's: get, change", "Z2", SQLITE,
        'GET = "SELECT body FROM records WHERE kind = ? AND owner = ? AND id = ?"',
        'GET = "SELECT body FROM records WHERE kind = ? AND ? <> \'\' AND id = ?"', OTHERS,
    ),
    Guard(
        "a record is its owner's: delete", "Z2", SQLITE,
        '"DELETE FROM records WHERE kind = ? AND owner = ? AND id = ?"',
        '"DELETE FROM records WHERE kind = ? AND ? <> \'\' AND id = ?"', OTHERS, by="NotFound",
    ),
    Guard(
        "a record is its owner's: find", "Z2", "core/store/query.py", '"owner = ?"], [owner]',
        '"? <> \'\'"], [owner]', OTHERS,
    ),
    Guard(
        "a change that expects other values writes nothing", "Z6", SQLITE,
        "if expect and not query.equals(before, expect):", "if False:",
        f"{CONTRACT}::TestRecords::test_a_change_that_expects_other_values_writes_nothing",
    ),
    Guard(
        "what is deleted by its values is its owner's", "Z2", "core/store/query.py",
        "    terms, values = _conditions(kind, where, owner=owner)\n    return",
        "    terms, values = _conditions(kind, where, owner=owner)\n    terms[1] = \"? <> ''\"\n    return",
        f"{CONTRACT}::TestFind::test_count_and_delete_where_mean_the_records_that_find_finds",
    ),
    Guard(
        "names of fields are the record's own", "Z2", "core/store/query.py",
        "        if name not in known:\n            raise ValueError(f\"{kind.__name__} has no field {name!r}\")\n", "        pass\n",
        f"{CONTRACT}::TestFind::test_a_field_that_is_not_the_kinds_is_refused", by="KeyError",
    ),
    Guard(
        "a log is its owner's: read", "Z2", SQLITE,
        '"SELECT body FROM events WHERE owner = ? AND session = ? AND seq > ? ORDER BY seq LIMIT ?"',
        '"SELECT body FROM events WHERE ? <> \'\' AND session = ? AND seq > ? ORDER BY seq LIMIT ?"', LOG,
    ),
    Guard(
        "a log is its owner's: its end", "Z2", SQLITE,
        '"SELECT body FROM events WHERE owner = ? AND session = ? ORDER BY seq DESC LIMIT ?"',
        '"SELECT body FROM events WHERE ? <> \'\' AND session = ? ORDER BY seq DESC LIMIT ?"', LOG,
    ),
    Guard(
        "a log is its owner's: delete", "Z2", SQLITE, '"DELETE FROM events WHERE owner = ? AND session = ?"',
        '"DELETE FROM events WHERE ? <> \'\' AND session = ?"', LOG,
    ),
    Guard(
        "a log is its owner's: append", "Z3", SQLITE,
        '"SELECT coalesce(max(seq), 0) FROM events WHERE owner = ? AND session = ?"',
        '"SELECT coalesce(max(seq), 0) FROM events WHERE ? <> \'\' AND session = ?"', LOG, by="SeqTaken",
    ),
    Guard(
        "usage is its owner's", "Z2", SQLITE, '"SELECT counter, amount FROM usage WHERE owner = ? AND key = ?"',
        '"SELECT counter, amount FROM usage WHERE ? <> \'\' AND key = ?"',
        f"{CONTRACT}::TestUsage::test_counters_add_up_per_owner_and_key",
    ),
    Guard(
        "an append does not change what is there", "Z6", SQLITE,
        "            await self._compare(db, session, again, owner)\n", "",
        f"{CONTRACT}::TestEvents::test_a_number_with_other_content_is_taken_and_nothing_is_written",
    ),
    Guard(
        "create does not overwrite", "Z6", SQLITE,
        "            if await self._body(db, type(record), record.id, owner) is not None:\n", "            if False:\n",
        f"{CONTRACT}::TestRecords::test_create_refuses_what_exists_and_leaves_it_alone",
    ),
    Guard(
        "a change of what is gone writes nothing", "Z6", SQLITE,
        "            if old is None:\n                raise NotFound(f\"{query.table_name(kind)} {id}\")\n            before",
        "            if old is None:\n                old = '{\"id\":\"a1\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}'\n            before",
        f"{CONTRACT}::TestRecords::test_change_of_what_is_not_there_says_so",
    ),
    Guard(
        "a due slot has one row", "Z6", "core/services/scheduler.py", "slot.user, run_id_of_slot(trigger.id, slot.due_at)",
        'slot.user, run_id_of_slot(f"{trigger.id}{moment}", slot.due_at)',
        "tests/core/services/test_scheduler.py::test_a_week_of_schedules_leaves_one_row_a_slot_with_two_webs_that_die_anywhere",
    ),
    Guard(
        "a slot is passed only after its row is written", "Z6", "core/services/scheduler.py",
        "            await self._write(trigger, slot, moment)\n            then = next_after(trigger.schedule, slot.due_at) or NEVER\n",
        "            then = next_after(trigger.schedule, slot.due_at) or NEVER\n"
        "            await self._store.change(DueSlot, slot.id, owner=SYSTEM, due_at=then)\n"
        "            await self._write(trigger, slot, moment)\n",
        "tests/core/services/test_scheduler.py::test_a_week_of_schedules_leaves_one_row_a_slot_with_two_webs_that_die_anywhere",
    ),
    Guard(
        "forgetting takes everything", "S3", "core/store/sqlite_audit.py",
        '            await db.execute("DELETE FROM records WHERE owner = ?", (owner,))\n', "", FORGOTTEN,
    ),
    Guard(
        "the platform is nobody to forget", "Z6", "core/store/sqlite_audit.py", 'if owner in ("", SYSTEM):', "if False:",
        f"{CONTRACT}::TestForgetting::test_the_platform_itself_is_not_forgotten",
    ),
    *(
        Guard(
            f"the audit log refuses by itself: {deed}", "L1", "core/store/schema.py",
            f"BEFORE {deed} ON audit\n           BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
            f"BEFORE {deed} ON audit\n           BEGIN SELECT 1; END",
            f"{CONTRACT}::test_sqlite_an_entry_of_the_audit_log_is_changed_and_deleted_by_nobody",
        )
        for deed in ("UPDATE", "DELETE")
    ),
    Guard(
        "what the audit log is told stays one line", "L1", "core/services/audit.py", "return escape_line(visible(mask(text[:READ_CHARS])), longest)", "return text",
        "tests/core/services/test_audit.py::test_what_strangers_send_stays_one_short_line",
    ),
    Guard(
        "who an agent's connections are read by", "Z2", "core/services/connections.py",
        "        await self._store.get(Agent, agent, owner=user)\n", "",
        "tests/core/services/test_connections.py::test_an_agents_connections_are_read_newest_first_by_their_owner_alone",
    ),
    Guard(
        "a remembered session is its owner's", "Z2", "core/services/conversations.py",
        "known = self._sessions.get((user, session))",
        "known = next((s for (_, id), s in self._sessions.items() if id == session), None)",
        f"{CHARLIE}::test_what_alice_did_with_her_session_lets_nobody_else_into_it",
    ),
    Guard(
        "a session of a foreign agent is not made", "Z3", "core/services/agents.py",
        "found = await self.get(agent, user=user)\n        return await self._open(",
        "at = now()\n        found = Agent(id=agent, created_at=at, updated_at=at)\n        return await self._open(",
        f"{CHARLIE}::test_nothing_is_made_under_a_foreign_agent",
    ),
    Guard(
        "a foreign agent is not deleted", "Z2", "core/services/agents.py",
        "        await self.get(agent, user=user)\n        runner =", "        runner =",
        f"{CHARLIE}::test_nothing_of_alices_is_changed_or_deleted_by_anybody_else",
    ),
    Guard(
        "a foreign session is not deleted", "Z2", "core/services/agents.py",
        "        await self.session(session, user=user)\n", "",
        f"{CHARLIE}::test_nothing_of_alices_is_changed_or_deleted_by_anybody_else", by="RunnerUnavailable",
    ),
    Guard(
        "news of sessions reach their owner only", "Z2", "core/services/conversations.py",
        "with self._runners.changes.listen(user) as listener:\n            yield", 'with self._runners.changes.listen(UserId("google-1")) as listener:\n            yield',
        "tests/core/services/test_conversations.py::test_the_news_of_a_users_sessions_reach_that_user_only",
    ),
    Guard(
        "another's route looks like none: the API", "Z1 Z2", "web/api/sessions.py",
        "        await services.agents.session(session, user=user.user_id)\n", "",
        "tests/web/test_api.py::test_a_session_that_is_not_there_is_404_on_every_route",
    ),
    Guard(
        "administrators only", "Z1", "core/services/users.py", "if user.role is not Role.ADMIN or user.disabled:", "if user.disabled:",
        f"{ADMIN}::test_only_an_administrator_sees_or_does_anything",
    ),
    Guard(
        "a disabled administrator is none", "A4", "core/services/users.py", "if user.role is not Role.ADMIN or user.disabled:",
        "if user.role is not Role.ADMIN:", f"{CHARLIE}::test_a_disabled_administrator_is_none",
    ),
    Guard(
        "a deed asks for the role anew", "A4 Z6", "core/services/users.py", "        await self.admin(by)\n        if user == by:", "        if user == by:",
        f"{ADMIN}::test_an_administrator_who_no_longer_is_one_can_do_nothing_on_a_page_still_open",
    ),
    Guard(
        "nobody decides about themselves", "Z1", "core/services/users.py", "if user == by:", "if False:",
        f"{ADMIN}::test_nobody_decides_about_themselves_or_against_the_settings",
    ),
    Guard(
        "what the settings say of administrators stands", "Z1", "core/services/users.py", "if self.role_is_pinned(known):", "if False:",
        f"{ADMIN}::test_nobody_decides_about_themselves_or_against_the_settings",
    ),
    Guard(
        "nothing stale is written over an account that goes", "Z6", "core/services/users.py", "if known.deleting:", "if False:",
        f"{CHARLIE}::test_an_account_that_is_being_deleted_is_changed_by_nobody",
    ),
    Guard(
        "who is locked out loses the box", "A4", "core/services/users.py", "            await self._runners.stop(user)\n", "            pass\n",
        f"{ADMIN}::test_a_disabled_user_loses_the_box_and_keeps_everything_in_it",
    ),
    Guard(
        "an export leads nowhere when it is unpacked", "F3", "core/services/account_export.py", 'if part not in ("/", ".", "..")]', "]",
        "tests/core/services/test_account.py::TestExport::test_a_runner_that_makes_names_up_leads_nowhere",
    ),
    Guard(
        "names in an export are plain", "F1 F3", "core/services/account_export.py",
        "sign if sign.isprintable() and sign not in '\\\\:*?\"<>|' else \"_\" for sign in", "sign for sign in",
        "tests/core/services/test_account.py::TestExport::test_a_runner_that_makes_names_up_leads_nowhere",
    ),
    Guard(
        "lengths in an export are believed up to a bound", "F3", "core/services/account_export.py",
        "if not line.isdigit() or len(line) > 8 or int(line) > LARGEST_PIECE:", "if not line.isdigit():",
        f"{CHARLIE}::test_a_length_that_a_runner_makes_up_is_not_waited_for",
    ),
    Guard(
        "one export of a user at a time", "R5", "core/services/account_export.py", "if user in self._busy:", "if False:",
        "tests/core/services/test_account.py::TestExport::test_one_at_a_time_and_whoever_stops_listening_lets_the_next_one_in",
    ),
)  # fmt: skip
