"""Tests of the end of everything (G4): processes, sockets and temporary folders."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.model_server import ModelServer
from tests.product import MAIN, Product
from tests.timeouts import PATIENCE_S

LONELY_S = 60.0  # a runner that nobody has connected to ends itself after this; so does the gateway
SLACK_S = 15.0


async def test_after_sigint_in_mid_answer_nothing_is_left_within_ten_seconds(me: Screen) -> None:
    me.allow_disconnects()
    await me.say("N=400 GAP=0.05")
    await me.until_word("w5")
    assert {"web", "gateway", "runner", "cli"} <= roles(me)
    took_s = await me.product.stop()
    await me.product.until_gone(within_s=10.0 - took_s)
    assert not list(me.product.runtime.rglob("*"))


async def test_ctrl_c_while_it_is_still_starting_leaves_nothing(tmp_path: Path) -> None:
    product = Product(tmp_path)
    starting = asyncio.create_task(product.start_web())
    async with asyncio.timeout(PATIENCE_S):
        while not product.processes("gateway"):
            await asyncio.sleep(0.01)
    await product.stop()
    with pytest.raises(AssertionError, match="no link"):
        await starting
    product.allow(r"KeyboardInterrupt", r"Traceback", r"CancelledError")
    await product.until_gone(within_s=10.0)
    await product.__aexit__(None, None, None)  # which looks for what is left


async def test_ctrl_c_ends_everything_though_it_also_ends_whom_the_web_writes_to(tmp_path: Path) -> None:
    product = Product(tmp_path)
    await product.start_web("sh", "-c", f"'{sys.executable}' '{MAIN}' 2>&1 | tee '{tmp_path / 'output.txt'}'")
    await product.stop()
    await product.until_gone(within_s=10.0)
    await product.__aexit__(None, None, None)


async def test_after_sigterm_an_open_turn_goes_on_and_a_new_web_finds_it(me: Screen) -> None:
    me.allow_disconnects()
    await me.say("N=150 GAP=0.03")
    await me.until_word("w5")
    await me.product.terminate_web()
    assert {"gateway", "runner", "cli"} <= roles(me)
    await me.product.start_web()
    await me.come_back()
    events = await me.until_turns(1)
    assert events[-2]["type"] == "turn_finished" or events[-1]["type"] == "turn_finished"
    await me.until_word("w149")


@pytest.mark.proof
async def test_after_sigkill_of_the_web_with_nobody_coming_back_nothing_is_left(
    start: Start, visit: Visit, model: ModelServer
) -> None:
    product = await start(model_url=model.url)
    screen = await visit(product)
    screen.allow_disconnects()
    await screen.sign_in()
    await screen.new_agent()
    await screen.say("hello")
    await screen.until_turns(1)
    await product.kill_web()
    await product.until_gone(within_s=LONELY_S + SLACK_S)
    assert not list(product.runtime.rglob("*"))


def roles(me: Screen) -> set[str]:
    return {role for role in ("web", "gateway", "runner", "cli") if me.product.processes(role)}
