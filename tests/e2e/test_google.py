"""The product with Google behind it: secrets in Secret Manager, the model on Vertex; no token and no value leaks."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import expect

from core.domain.records import UserId
from core.vault.google import GoogleVault
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_secrets import HASH, USE, VALUE, add, assert_nowhere, frames_of, open_page, written
from tests.metadata_server import CANARY, MetadataServer
from tests.model_server import ModelServer
from tests.product import MAIN, Product
from tests.vertex_server import VertexServer

WAIT_S = 60.0
OWNER = UserId("local-owner")


@asynccontextmanager
async def secret_manager() -> AsyncIterator[str]:
    """Run Secret Manager's stand-in as a process and return its address."""
    words = [sys.executable, "-m", "tests.secret_manager"]
    process = await asyncio.create_subprocess_exec(*words, cwd=MAIN.parent, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def everything(product: Product) -> str:
    """Return everything that was written, also by the CLI in its box, and all logs."""
    files = [path for path in product.root.rglob("*") if path.is_file() and not path.is_symlink()]
    return "".join(path.read_bytes().decode(errors="replace") for path in files) + product.log()


async def use_the_secret(me: Screen) -> list[str]:
    """Typed in, given to the agent, used by its program; what a browser was told meanwhile."""
    workspace, agent = me.page.url, me.agent
    await open_page(me)
    heard = frames_of(me)
    await add(me, "NAME", VALUE)
    await expect(me.get("secret")).to_have_count(1)
    await me.page.locator(f"[data-testid=give][data-agent='{agent}']").click()
    await expect(me.get("give")).to_have_attribute("aria-pressed", "true")
    await me.page.goto(workspace)
    await me.say(USE)
    await me.get("allow").click()
    events = str(await me.until_turns(1, within_s=WAIT_S))
    assert HASH in events and "***" in events
    return [*heard, events, await me.page.content()]


async def test_an_agent_works_on_vertex_with_a_secret_from_secret_manager(
    start: Start, visit: Visit, model: ModelServer
) -> None:
    async with (
        secret_manager() as host,
        MetadataServer() as identity,
        VertexServer(model, identity, knows=frozenset()) as vertex,
    ):
        product = await start(
            OMA_MODEL="vertex",
            ANTHROPIC_VERTEX_PROJECT_ID="a-project",
            CLOUD_ML_REGION="global",
            ANTHROPIC_VERTEX_BASE_URL=vertex.url,
            OMA_VAULT="google",
            OMA_GCP_PROJECT="a-project",
            SECRET_MANAGER_EMULATOR_HOST=host,
            **identity.environ,
        )
        me = await visit(product)
        me.page.set_default_timeout(WAIT_S * 1000)
        await me.sign_in()
        await me.new_agent()
        seen = await use_the_secret(me)
        identity.next_token()  # and the old one is refused from now on
        await me.say("SAY(((it goes on)))")
        await me.until_turns(2, within_s=WAIT_S)
        await expect(me.answers.last).to_contain_text("it goes on")
        streamed = [asked for asked in vertex.asked if asked.body.get("stream")]
        assert len(streamed) >= 3 and all(asked.path.endswith(":streamRawPredict") for asked in streamed)
        assert_nowhere(*seen, *written(product), product.log())
        assert CANARY not in everything(product) + "".join(seen)
        assert not (product.data_dir / "vault").exists() and not (product.data_dir / "vault.key").exists()
        vault = await GoogleVault.open("a-project", region="asia-northeast3", emulator=host)
        assert await vault.get(["NAME"], owner=OWNER) == {"NAME": VALUE}
        await open_page(me)
        await me.get("delete-secret").click()
        await me.get("delete-secret-do").click()
        await expect(me.get("no-secrets")).to_be_visible()
        assert await vault.names(owner=OWNER) == ()
        await vault.close()
