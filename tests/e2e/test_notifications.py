"""An agent tells its person while no page is open: by a real mail server and a real webhook receiver."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import expect

from core.services.notify.webhook import signature
from tests.core.services.notify.test_email import Mailbox, smtp
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer
from tests.product import Product
from tests.timeouts import PATIENCE_S
from tests.webhook_receiver import Receiver, receiver

INTERNET = Path(__file__).parent / "internet"
HOOK = "https://hooks.example.com/in/secret-path"


@dataclass
class World:
    """The product, and the two who hear of it."""

    product: Product
    mailbox: Mailbox
    other_side: Receiver

    async def mail(self, subject: str) -> Any:
        return await until(lambda: next((one for one in self.mailbox.mails if subject in str(one["Subject"])), None))

    async def hooked(self, kind: str) -> Any:
        """The first webhook about this kind of fact: what it says, and its headers."""

        def found() -> Any:
            for one in self.other_side.requests:
                said = json.loads(one.body)
                if said["items"][0]["kind"] == kind:
                    return said, one
            return None

        return await until(found)


async def until(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end, "nothing came"
        await asyncio.sleep(0.05)
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def world(start: Start, model: ModelServer, tmp_path: Path) -> AsyncIterator[World]:
    mailbox = Mailbox()
    async with receiver(tmp_path, "hooks.example.com") as other_side:
        with smtp(mailbox) as port:
            product = await start(
                model_url=model.url,
                PYTHONPATH=str(INTERNET),
                TEST_INTERNET=f"hooks.example.com=93.184.215.14:{other_side.port}",
                SSL_CERT_FILE=other_side.authority,
                OMA_SMTP_URL=f"smtp://127.0.0.1:{port}",
                OMA_MAIL_FROM="agents@example.com",
            )
            yield World(product, mailbox, other_side)


async def settings(me: Screen) -> None:
    await me.page.goto(f"{me.product.url}/settings/notifications")
    await me.page.wait_for_function("window.did_handshake === true")


async def start_run(me: Screen, agent: str, words: str) -> None:
    """By the API, while no page is open."""
    path = f"{me.product.url}/api/v1/agents/{agent}/runs"
    headers = {"origin": me.product.url}
    answer = await me.page.request.post(path, data={"input": words, "version": "draft"}, headers=headers)
    assert answer.ok, await answer.text()


async def test_a_failing_run_and_a_waiting_one_reach_their_person_by_mail_and_webhook(
    world: World, visit: Visit
) -> None:
    me = await visit(world.product, locale="en-US")
    await me.sign_in()
    await me.new_agent()
    agent = me.agent
    await settings(me)
    await expect(me.get("no-channels")).to_be_visible()
    await judge(me, "notifications, empty")
    await me.get("add-email").click()
    await me.get("email-email").fill("owner@example.com")
    await me.get("save-email").click()
    await expect(me.get("channel")).to_have_count(1)
    await me.get("add-webhook").click()
    await me.get("webhook-name").fill("Ours")
    await me.get("webhook-url").fill("https://localhost/x")
    await me.get("save-webhook").click()
    await expect(me.get("channel-error")).to_contain_text("public internet")
    await me.get("webhook-url").fill(HOOK)
    await me.get("save-webhook").click()
    await expect(me.get("channel")).to_have_count(2)
    key = await me.get("signing-key").inner_text()
    sent = me.page.locator("[data-testid=delivery][data-state=sent]")
    for at in range(2):
        await me.get("test-channel").nth(at).click()
        await expect(sent).to_have_count(at + 1)
    await world.mail("A test")
    await world.hooked("test")
    await me.get("channel-choose").first.click()
    await me.get("kind-recovered").first.click()
    await expect(me.get("kind-recovered").first).to_have_attribute("aria-pressed", "false")
    await judge(me, "notifications, with channels")

    await me.page.goto("about:blank")  # nobody looks
    await start_run(me, agent, "ERR400")
    said, came = await world.hooked("failed")
    stamp = int(came.headers["webhook-timestamp"])
    assert came.headers["webhook-signature"] == signature(key, id=said["id"], timestamp=stamp, body=came.body)
    failed = await world.mail("a run failed")
    assert re.search(rf"{world.product.url}/runs/\w+", failed.get_content())
    await start_run(me, agent, "TOOL(((curl -sS -m 5 http://127.0.0.1:9/; echo done)))")
    asked = (await world.mail("needs you")).get_content()
    found = re.search(rf"{world.product.url}/workspace/\S+", asked)
    assert found and "curl" in asked
    await me.page.goto(found[0])
    await expect(me.permission).to_be_visible()  # the link leads to the prompt itself

    await settings(me)
    for kind, states in (("failed", ["sent", "sent"]), ("needs_you", ["sent", "sent"])):
        rows = me.page.locator(f"[data-testid=notification][data-kind={kind}] [data-testid=delivery]")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_be_visible()
        assert [await row.get_attribute("data-state") for row in await rows.all()] == states
    await expect(me.get("attempt").first).to_contain_text(re.compile("HTTP 200|accepted"))
    await judge(me, "notifications, told")
    assert "secret-path" not in await me.page.content() + world.product.log()
    assert len([one for one in world.other_side.requests if b'"failed"' in one.body]) == 1


async def test_who_looks_at_a_page_is_sent_nothing(world: World, visit: Visit) -> None:
    me = await visit(world.product, phone=True)
    await me.sign_in()
    await me.new_agent()
    agent = me.agent
    await settings(me)
    await me.get("add-slack").click()
    await me.get("slack-url").fill(HOOK)
    await me.get("save-slack").click()
    await expect(me.get("channel")).to_have_count(1)
    await judge(me, "notifications on a phone")
    await start_run(me, agent, "ERR400")
    dropped = me.page.locator("[data-testid=delivery][data-state=dropped]")
    for _ in range(int(PATIENCE_S)):
        await me.get("told-again").click()
        if await dropped.count():
            break
        await me.page.wait_for_timeout(1000)
    await expect(dropped).to_contain_text("you were looking at a page")
    assert world.other_side.requests == []


async def test_a_browser_subscribes_as_far_as_its_push_service_lets_it(world: World, visit: Visit) -> None:
    """No push service is there to be reached: the worker is registered under our policy, and the refusal is said."""
    me = await visit(world.product, locale="en-US")
    me.allow("Push API in incognito mode")
    await me.page.context.grant_permissions(["notifications"])
    await me.sign_in()
    await settings(me)
    await me.get("add-push").click()
    await expect(me.get("channel-error")).to_contain_text(re.compile("notification service|blocks notifications"))
    script = await me.page.evaluate(
        "navigator.serviceWorker.getRegistration().then((one) => (one?.active ?? one?.installing)?.scriptURL)"
    )
    assert script == f"{world.product.url}/push_worker.js"
