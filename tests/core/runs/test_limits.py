"""A user's limits are theirs alone, and only numbers that can be limits."""

from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import BadInput
from core.domain.limits import Limits
from core.domain.records import UserId
from core.runs.limits import change_limits, limits_of
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")


async def test_limits_are_kept_for_their_user_alone(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        assert await limits_of(store, ALICE) == Limits()
        set_to = Limits(run_usd=0.5, duration_s=600)
        await change_limits(store, set_to, user=ALICE)
        assert await limits_of(store, ALICE) == set_to
        assert await limits_of(store, BOB) == Limits()


WRONG: list[dict[str, Any]] = [{"run_usd": -1.0}, {"user_month_usd": float("nan")}, {"duration_s": -1}, {"turns": -1}]


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_no_limit_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        with pytest.raises(BadInput):
            await change_limits(store, Limits(**wrong), user=ALICE)
        assert await limits_of(store, ALICE) == Limits()
