"""Two people on one platform, signed in by OpenID Connect: neither can learn that anything of the other exists (G8)."""

import re
import uuid
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_box import GIVEN
from tests.model_server import ModelServer
from tests.oidc_provider import provider
from tests.people import ALICE, BOB, Person
from tests.product import Product, free_port

CLIENT = {"client_id": "oh-my-agent", "client_secret": "a-secret-only-for-this-test"}


@pytest_asyncio.fixture(loop_scope="session")
async def shared(start: Start, model: ModelServer) -> AsyncIterator[Product]:
    """A product whose people come from a strict provider."""
    port, issuer_port = free_port(), free_port()
    callback = f"http://127.0.0.1:{port}/auth/callback"
    with provider(port=issuer_port, redirect_uri=callback, **CLIENT) as running:
        running.people = [ALICE, BOB]
        settings = {
            "OMA_OIDC_ISSUER": running.issuer,
            "OMA_OIDC_CLIENT_ID": CLIENT["client_id"],
            "OMA_OIDC_CLIENT_SECRET": CLIENT["client_secret"],
        }
        yield await start(model_url=model.url, port=port, **settings)


async def test_what_is_another_users_answers_like_what_was_never_there(shared: Product, visit: Visit) -> None:
    alice, bob = await visit(shared), await visit(shared)
    await by_provider(alice, ALICE)
    await alice.new_agent()
    await alice.say("TOOL(((bash -c 'echo x > mine.txt')))")
    await expect(alice.permission).to_be_visible()
    agent, session = alice.agent, alice.session
    await by_provider(bob, BOB)
    await expect(bob.get("agent-card")).to_have_count(0)
    bob.allow("404")
    other_agent, other_session = "abcdefghjkmn", str(uuid.uuid4())
    for method, path, body in (
        ("GET", "/workspace/{agent}", None),
        ("GET", "/workspace/{agent}?session={session}", None),
        ("GET", "/api/v1/sessions/{session}/events?after=0", None),
        ("POST", "/api/v1/agents/{agent}/sessions", {}),
        ("POST", "/api/v1/sessions/{session}/messages", {"message_id": "m1", "text": "hello"}),
    ):
        theirs = await fetch(bob, method, path.format(agent=agent, session=session), body)
        nobodys = await fetch(bob, method, path.format(agent=other_agent, session=other_session), body)
        assert theirs[0] == 404, f"{method} {path} answered {theirs[0]}"
        ids = (agent, session, other_agent, other_session)
        assert same(theirs[1], ids) == same(nobodys[1], ids), f"{method} {path} tells them apart"
    assert len(shared.processes("runner")) == 1, "bob asked for nothing that needs a box"
    await alice.get("allow").click()
    await alice.until_turns(1)


async def test_each_user_has_a_box_of_their_own(shared: Product, visit: Visit) -> None:
    alice, bob = await visit(shared), await visit(shared)
    for screen, person in ((alice, ALICE), (bob, BOB)):
        await by_provider(screen, person)
        await screen.new_agent()
        look = f"find {GIVEN} -xdev -name 'of-*.txt'"
        await screen.say(f"TOOL(((bash -c 'echo x > of-{person['sub']}.txt'; {look})))")
        await screen.get("allow").click()
        await screen.until_turns(1)
        await expect(screen.answers.last).to_contain_text(f"of-{person['sub']}.txt")
    await expect(bob.answers.last).not_to_contain_text(f"of-{ALICE['sub']}.txt")
    assert len(shared.processes("runner")) == 2


async def test_signing_out_ends_what_the_page_may_do(shared: Product, visit: Visit) -> None:
    alice = await visit(shared)
    await by_provider(alice, ALICE)
    await alice.get("user-menu").first.click()
    await alice.get("sign-out").click()
    await alice.page.wait_for_url("**/login**")
    await alice.page.goto(shared.url + "/dashboard")
    await expect(alice.get("sign-in").first).to_be_visible()


async def by_provider(screen: Screen, person: Person) -> None:
    """Through /login and the provider's own page, to the dashboard."""
    screen.allow(r"/favicon\.ico")  # the provider has none
    await screen.page.goto(screen.product.url + "/login")
    await screen.page.locator("a[data-testid=sign-in]").click()
    await screen.page.get_by_text(person["name"]).click()
    await screen.page.wait_for_url("**/dashboard")


async def fetch(screen: Screen, method: str, path: str, body: object) -> tuple[int, str]:
    """Fetch a page with this person's cookies and return status and body."""
    headers = {"Origin": screen.product.url}
    answer = await screen.page.request.fetch(screen.product.url + path, method=method, data=body, headers=headers)
    return answer.status, await answer.text()


def same(text: str, ids: tuple[str, ...]) -> str:
    """A page without what differs each time: the asked-for ids, NiceGUI's client id, the nonce."""
    for id in ids:
        text = text.replace(id, "ID")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r'nonce(-|=\\?")[\w+/=-]+', "nonce", text)
    return re.sub(r"\d+\.\d+", "TIME", text)
