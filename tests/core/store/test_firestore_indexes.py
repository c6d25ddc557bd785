"""firestore.indexes.json against the program: production refuses a query without its index, the emulator does not."""

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain import records
from core.domain.records import Record
from core.store import firestore_query, rows
from core.store.firestore_search import MESSAGES
from core.store.firestore_values import AUDIT, CHUNKS, CLAIMS, COUNTERS, stored
from core.store.query import Query, table_name

ROOT = Path(__file__).resolve().parents[3]
DECLARED = json.loads((ROOT / "firestore.indexes.json").read_text())
KINDS = {kind.__name__: kind for kind in rows.KINDS.values()}


def calls_of_find() -> Iterator[tuple[str, ast.Call]]:
    """Every `….find(Kind, …)` of the program."""
    for folder in ("core", "auth", "ui", "web"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "find":
                    first = node.args[0] if node.args else None
                    if isinstance(first, ast.Name) and first.id in KINDS:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def shape(call: ast.Call) -> tuple[type[Record], tuple[str, ...], str, bool]:
    """Kind, fields and order, which must be written out in the call: else nobody can tell what index it needs."""
    assert isinstance(call.args[0], ast.Name)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    where, order = given.get("where"), given.get("newest_by") or given.get("oldest_by")
    assert where is None or isinstance(where, ast.Dict), ast.unparse(call)
    names = [key.value for key in where.keys if isinstance(key, ast.Constant)] if isinstance(where, ast.Dict) else []
    assert not isinstance(where, ast.Dict) or len(names) == len(where.keys), ast.unparse(call)
    assert order is None or isinstance(order, ast.Constant), ast.unparse(call)
    by = str(order.value) if isinstance(order, ast.Constant) else ""
    return KINDS[call.args[0].id], tuple(map(str, names)), by, "oldest_by" in given


def asked(names: tuple[str, ...], by: str, oldest: bool) -> Query:
    where = dict.fromkeys(names, "x")
    return Query(where=where, oldest_by=by) if oldest else Query(where=where, newest_by=by)


def index_for(kind: type[Record], names: tuple[str, ...], by: str, oldest: bool) -> dict[str, Any] | None:
    return firestore_query.index_of(kind, names, asked(names, by, oldest))


def key(index: dict[str, Any]) -> str:
    return json.dumps(index, sort_keys=True)


def test_every_query_of_the_program_has_its_index_and_no_index_is_for_nobody() -> None:
    shapes = {shape(call) for _, call in calls_of_find()}
    assert len(shapes) >= 10, "the search finds what is there"
    needed = {key(index) for each in shapes if (index := index_for(*each))}
    searched = {key(index) for index in DECLARED["indexes"] if index["collectionGroup"] == MESSAGES}
    assert len(searched) == 1, "core/store/firestore_search.py asks for terms, the newest first"
    assert needed == {key(index) for index in DECLARED["indexes"]} - searched


@pytest.mark.parametrize(("where", "call"), list(calls_of_find()))
def test_every_query_of_the_program_can_be_asked_of_firestore(where: str, call: ast.Call) -> None:
    kind, *more = shape(call)
    firestore_query.plan(kind, asked(*more))


def overrides(**wanted: Any) -> set[tuple[str, str]]:
    found = [
        each for each in DECLARED["fieldOverrides"] if all(each.get(name) == value for name, value in wanted.items())
    ]
    return {(each["collectionGroup"], each["fieldPath"]) for each in found}


def test_what_ends_by_itself_is_swept_by_a_ttl_policy_on_a_time() -> None:
    assert overrides(ttl=True) == {("login", "expires_at"), (CLAIMS, "until")}
    login = records.Login(
        id="l", user=records.UserId("u"), created_at=records.now(), seen_at=records.now(), expires_at=records.now()
    )
    assert stored(login)["expires_at"] == login.expires_at, "a policy ignores what is no timestamp"


def test_what_is_large_or_has_many_names_is_not_indexed() -> None:
    assert {(CHUNKS, "body"), (AUDIT, "body"), (COUNTERS, "amounts")} <= overrides(indexes=[])


def test_the_commands_for_google_cloud_say_all_that_the_file_says() -> None:
    script = ROOT / "scripts" / "firestore-indexes"
    said = subprocess.run([script, "p"], capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    switched_off = [each for each in DECLARED["fieldOverrides"] if each["indexes"] == []]
    assert len(said) == len(DECLARED["indexes"]) + len(overrides(ttl=True)) + len(switched_off)
    assert all("--project=p" in line and "--collection-group=" in line for line in said)
    [sessions] = [line for line in said if "composite" in line and "--collection-group=session" in line]
    assert sessions.endswith("field-path=agent,order=ascending --field-config=field-path=updated_at,order=descending")


def test_no_field_that_is_ordered_or_compared_is_left_without_its_own_index() -> None:
    used = set()
    for _, call in calls_of_find():
        kind, names, by, _ = shape(call)
        used |= {(table_name(kind), name) for name in (*names, by)}
    assert used & overrides(indexes=[]) == set()
