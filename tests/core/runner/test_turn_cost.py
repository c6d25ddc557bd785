"""Tests that readers get the cost of a turn, also late ones, and that the log itself has no money."""

import json
from pathlib import Path

from core.domain.events import Live, TurnCost, TurnFinished
from tests.core.runner.box import Box


async def test_a_page_hears_what_a_turn_cost_as_soon_as_the_gateway_has_said_it(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        box.gateway.turn_cost_usd = 0.25
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=2")
            end = await watch.until(TurnFinished)
            told = await watch.until(TurnCost)
        assert (told.turn, told.cost_usd, told.unpriced_calls) == (end.seq, 0.25, 0)
        async with session.watch() as late:
            await late.until(Live)
            assert (await late.until(TurnCost)).cost_usd == 0.25
        assert all("turn_cost" not in line for line in session.log.read_text().splitlines())
        assert json.loads(session.log.read_text().splitlines()[end.seq - 1]).get("cost_usd", 0) == 0
