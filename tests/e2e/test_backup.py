"""backup, restore and migrate as an operator types them, around a platform that people use."""

import asyncio
import sys
import uuid
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import Event, Screen, assert_in_order, kinds, numbered, texts
from tests.firestore_emulator import Emulator
from tests.model_server import ModelServer
from tests.product import MAIN, Product

COMMAND_S = 60.0


async def typed(product: Product, *words: str | Path) -> tuple[int, str]:
    """`python main.py …` with the product's settings: exit status, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(MAIN),
        *map(str, words),
        env=product.environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(COMMAND_S):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def at(screen: Screen, agent: str, session: str) -> list[Event]:
    """Signed in, on this page; what is stored of its session."""
    screen.allow_disconnects()
    await screen.sign_in()
    await screen.page.goto(f"{screen.product.url}/workspace/{agent}?session={session}")
    await expect(screen.get("composer")).to_be_editable()
    return await screen.events()


async def test_a_backup_taken_in_mid_answer_is_the_same_page_and_answers_elsewhere(
    me: Screen, visit: Visit, model: ModelServer, tmp_path: Path
) -> None:
    await me.say("remember the colour blue")
    await me.until_turns(1)
    await me.say("N=150 GAP=0.03")
    await me.until_word("w10")
    status, said = await typed(me.product, "backup", tmp_path / "b.tar.gz")
    assert status == 0, said
    status, said = await typed(me.product, "restore", tmp_path / "b.tar.gz", "--force")
    assert (status, said.count("\n")) == (1, 1) and "the platform is running here: stop it first" in said
    events = await me.until_turns(2)
    assert texts(events)[-1] == " ".join(numbered(150)), "the turn went on"

    copy = Product(tmp_path / "elsewhere", model_url=model.url)
    status, said = await typed(copy, "restore", tmp_path / "b.tar.gz")
    assert status == 0, said
    async with copy:
        there = await visit(copy)
        await at(there, me.agent, me.session)
        await expect(there.answers.first).to_contain_text("You said: remember the colour blue")
        copied = await there.until_turns(2)
        upto = kinds(copied, "user_said")[1]["seq"]
        assert copied[:upto] == events[:upto]
        ended = kinds(copied, "turn_finished")[1]
        assert (ended["outcome"], ended["reason"]) == ("interrupted", "runner_lost")
        await there.say("and on we go")
        assert_in_order(await there.until_turns(3))
        await expect(there.answers.last).to_contain_text("You said: and on we go")
        assert "remember the colour blue" in str(model.turns[-1].body), "the CLI's own memory came along"
        await me.say("here as well")
        await me.until_turns(3)


@pytest.mark.proof
async def test_a_platform_that_moves_to_firestore_and_back_is_the_same_to_its_user(
    me: Screen, visit: Visit, model: ModelServer, firestore_emulator: Emulator
) -> None:
    product, agent, session = me.product, me.agent, me.session
    me.allow_disconnects()
    await me.say("remember the colour blue")
    before = await me.until_turns(1)
    product.environ |= {"FIRESTORE_EMULATOR_HOST": firestore_emulator.host}
    product.environ |= {"OMA_GCP_PROJECT": f"test-{uuid.uuid4().hex[:12]}"}
    status, said = await typed(product, "migrate", "--to", "firestore")
    assert status == 1 and "running" in said
    await product.stop()
    status, said = await typed(product, "migrate", "--to", "firestore")
    assert status == 0 and "each compared with" in said, said

    product.environ["OMA_STORE"] = "firestore"
    await product.start_web()
    there = await visit(product)
    assert (await at(there, agent, session))[: len(before)] == before
    await expect(there.answers.last).to_contain_text("You said: remember the colour blue")
    await there.say("TOOL(((bash -c 'echo 안녕')))")
    await there.get("allow").click()
    await there.until_turns(2)
    await there.say("N=40 GAP=0.02")
    meanwhile = await there.until_turns(3)
    assert await there.words() == numbered(40)
    assert_in_order(meanwhile)
    await product.stop()

    (product.data_dir / "oma.db").rename(product.data_dir / "before.db")
    status, said = await typed(product, "migrate", "--to", "sqlite")
    assert status == 0, said
    del product.environ["OMA_STORE"]
    await product.start_web()
    again = await visit(product)
    assert (await at(again, agent, session))[: len(meanwhile)] == meanwhile
    await again.say("and on we go")
    await again.until_turns(4)
    await expect(again.answers.last).to_contain_text("You said: and on we go")
