"""Unsent text is not lost."""

from playwright.async_api import expect

from tests.e2e.screen import Screen

DRAFT = "보내지 않은 글\nand a second line"


async def test_unsent_text_survives_a_reload(me: Screen) -> None:
    await me.get("composer").fill(DRAFT)
    await me.reload()
    await expect(me.get("composer")).to_have_value(DRAFT)


async def test_unsent_text_survives_a_restart_of_the_server(me: Screen) -> None:
    me.allow_disconnects()
    await me.get("composer").fill(DRAFT)
    await me.product.kill_web()
    await me.product.start_web()
    await me.come_back()
    await expect(me.get("composer")).to_have_value(DRAFT)


async def test_sent_text_does_not_come_back_into_the_composer(me: Screen) -> None:
    await me.say("gone")
    await expect(me.get("composer")).to_have_value("")
    await me.reload()
    await expect(me.get("composer")).to_have_value("")
