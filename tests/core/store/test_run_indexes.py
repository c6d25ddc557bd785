"""Queries of the run tables go through their indexes: a hundred thousand rows cost no more than a page of them."""

from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from core.domain.records import SYSTEM, Record, UserId, now
from core.domain.runs import Run
from core.domain.schedules import DueSlot
from core.domain.states import RunState
from core.store import query, schema
from core.store.query import Query


@pytest.mark.parametrize(
    ("kind", "asked", "index"),
    [
        (Run, {"newest_by": "at"}, "runs_newest"),
        (Run, {"where": {"agent": "a"}, "newest_by": "at"}, "runs_of_agent"),
        (Run, {"where": {"trigger": "t"}, "newest_by": "at", "above": now()}, "runs_of_trigger"),
        (Run, {"where": {"state": RunState.FAILED}, "newest_by": "at"}, "runs_in_state"),
        (Run, {"where": {"agent": "a", "state": RunState.FAILED}, "newest_by": "at"}, "runs_of_agent_in_state"),
        (Run, {"where": {"trigger": "t", "state": RunState.FAILED}, "newest_by": "at"}, "runs_of_trigger_in_state"),
        (DueSlot, {"oldest_by": "due_at", "below": now()}, "slots_due"),
    ],
)
async def test_a_query_is_answered_by_its_index_in_its_order(
    tmp_path: Path, kind: type[Record], asked: dict[str, Any], index: str
) -> None:
    db = await schema.connect(tmp_path / "oma.db")
    try:
        await schema.migrate(db)
        plan = await explained(db, kind, Query(**({"where": {}} | asked)))
    finally:
        await db.close()
    assert f"INDEX {index} " in plan
    assert "TEMP B-TREE" not in plan, "it sorts by itself"


async def explained(db: aiosqlite.Connection, kind: type[Record], asked: Query) -> str:
    owner = SYSTEM if kind is DueSlot else UserId("google-1")
    statement, values = query.select(kind, asked, owner=owner, limit=100)
    return " ".join(str(row[-1]) for row in await db.execute_fetchall(f"EXPLAIN QUERY PLAN {statement}", values))
