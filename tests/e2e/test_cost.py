"""Money on the pages is what the gateway metered: not what the CLI adds up, which knows nothing of who answered."""

import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from core.gateway.metering.answer_usage import CallUsage
from core.gateway.metering.prices import price_list
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import kinds
from tests.model_server import ModelServer


async def test_a_first_paid_turn_after_practice_costs_what_its_own_calls_cost(
    start: Start, visit: Visit, model: ModelServer
) -> None:
    product = await start()
    screen = await visit(product)
    screen.allow_disconnects()
    await screen.sign_in()
    await screen.new_agent()
    for turn, words in enumerate(("hello", "thanks", "hello"), start=1):
        await screen.say(words)
        events = await screen.until_turns(turn)
    assert {event.get("cost_usd", 0) for event in kinds(events, "turn_finished")} == {0}
    await product.stop()
    product.environ |= {"OMA_MODEL": "anthropic", "ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "sk-ant-x"}
    await product.start_web()
    await screen.come_back()
    await expect(screen.get("composer")).to_be_editable()
    await screen.say("N=20")
    events = await screen.until_turns(4)
    ended = kinds(events, "turn_finished")[-1]
    asked = [one for one in model.asked if "messages" in one.body and not one.path.endswith("count_tokens")]
    assert asked and ended["model"].startswith("claude-")
    used = [CallUsage(model=str(one.body["model"]), input_tokens=size(one.body), output_tokens=50) for one in asked]
    most = sum(price_list().cost_usd(each, day=datetime.now(UTC).date()) or 0.0 for each in used)
    assert 0 < ended["cost_usd"] <= most * 1.01
    least = most - sum(50 * 25e-6 for _ in asked)
    assert ended["cost_usd"] == pytest.approx(most, abs=max(most - least, 0.01))
    shown = screen.page.locator(".ended").last
    await expect(shown).to_contain_text(re.compile(r"US\$|\$"))


def size(body: object) -> int:
    import json

    return len(json.dumps(body)) // 4
