"""A platform for several people, signed in by a strict OpenID Connect provider; Root administers it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.oidc_provider import provider
from tests.people import ALICE, BOB, CHARLIE, ROOT, Person
from tests.product import Product, free_port

CLIENT = {"client_id": "oh-my-agent", "client_secret": "a-secret-only-for-this-test"}


@asynccontextmanager
async def company(start: Start, *, model_url: str = "") -> AsyncIterator[Product]:
    """Alice, Bob and Charlie may come in, and Root, whom the settings make an administrator."""
    port, issuer_port = free_port(), free_port()
    callback = f"http://127.0.0.1:{port}/auth/callback"
    with provider(port=issuer_port, redirect_uri=callback, **CLIENT) as running:
        running.people = [ALICE, BOB, CHARLIE, ROOT]
        settings = {
            "OMA_OIDC_ISSUER": running.issuer,
            "OMA_OIDC_CLIENT_ID": CLIENT["client_id"],
            "OMA_OIDC_CLIENT_SECRET": CLIENT["client_secret"],
            "OMA_ADMINS": ROOT["email"],
        }
        yield await start(model_url=model_url, port=port, **settings)


async def enter(visit: Visit, product: Product, person: Person, **how: object) -> Screen:
    """A browser of their own, signed in, on the dashboard."""
    screen = await visit(product, **how)
    screen.allow(r"/favicon\.ico", r"404")  # the provider has no icon; Charlie meets what is not there
    await screen.page.goto(product.url + "/login")
    await screen.page.locator("a[data-testid=sign-in]").click()
    await screen.page.get_by_text(person["name"]).click()
    await screen.page.wait_for_url("**/dashboard")
    await expect(screen.get("user-menu").first).to_be_visible()
    return screen


async def open_page(screen: Screen, path: str) -> None:
    """Go there and wait until it listens."""
    await screen.page.goto(screen.product.url + path)
    await screen.page.wait_for_function("window.did_handshake === true")
