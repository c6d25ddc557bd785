"""A secret on its way: typed once, used by the agent it was given to, and seen nowhere else by anybody."""

import contextlib
import io
import json
import zipfile
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import WebSocket, expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge, speaks
from tests.model_server import ModelServer
from tests.product import Product

VALUE = "canary/+=of-the-secret-0123456789"
SPELLED = (VALUE, b64encode(VALUE.encode()).decode()[:-4], quote(VALUE, safe=""), quote(VALUE))
USE = (
    "TOOL(((echo $NAME; printf %s $NAME | base64 -w0; printf %s $NAME > $TMPDIR/x; cat $TMPDIR/x; rm $TMPDIR/x; "
    "printf %s $NAME | sha256sum)))"
)
HASH = sha256(VALUE.encode()).hexdigest()


async def open_page(me: Screen) -> None:
    await me.page.goto(me.product.url + "/settings")
    await me.get("to-secrets").click()
    await me.page.wait_for_url("**/settings/secrets")
    await me.page.wait_for_function("window.did_handshake === true")


async def add(me: Screen, name: str, value: str) -> None:
    await me.get("secret-name").fill(name)
    await me.get("add-secret").get_by_test_id("secret-value").fill(value)
    await me.get("save-secret").click()


async def talk(me: Screen, text: str, turns: int) -> str:
    await me.say(text)
    await me.get("allow").click()
    return str(await me.until_turns(turns))


def frames_of(me: Screen) -> list[str]:
    """All that the server says over the sockets of this browser's tabs from now on."""
    said: list[str] = []

    def opened(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: said.append(str(frame)))

    me.page.on("websocket", opened)
    return said


def assert_nowhere(*texts: str) -> None:
    for text in texts:
        assert not [spelling for spelling in SPELLED if spelling in text]


def written(product: Product) -> list[str]:
    """Everything the platform keeps, but for what the CLI itself writes into the box's home."""
    files = [path for path in product.data_dir.rglob("*") if path.is_file() and "/.claude" not in str(path)]
    assert any(path.suffix == ".jsonl" for path in files) and any(path.name == "oma.db" for path in files)
    found = []
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # a part that has just become a whole file
            found.append(path.read_bytes().decode(errors="replace"))
    return found


async def test_the_agent_uses_it_and_nobody_and_nothing_else_has_it(product: Product, visit: Visit) -> None:
    me = await visit(product)
    await me.sign_in()
    await me.new_agent()
    workspace, agent = me.page.url, me.agent
    await open_page(me)
    heard = frames_of(me)
    await add(me, "NAME", VALUE)
    await expect(me.get("secret")).to_have_count(1)
    await expect(me.get("add-secret").get_by_test_id("secret-value")).to_have_value("")
    await me.page.locator(f"[data-testid=give][data-agent='{agent}']").click()
    await expect(me.get("give")).to_have_attribute("aria-pressed", "true")
    doms = [await me.page.content()]
    await me.page.goto(workspace)
    events = await talk(me, USE, 1)
    assert HASH in events and "***" in events
    doms.append(await me.page.content())
    await me.page.goto(product.url + "/dashboard")
    await me.new_agent()  # another one
    assert sha256(b"").hexdigest() in await talk(me, USE, 1)
    await open_page(me)
    await expect(me.get("secret-times")).to_contain_text("last used")
    doms += [await me.page.content(), json.dumps(await me.page.evaluate("({...localStorage, ...sessionStorage})"))]
    await me.page.goto(product.url + "/settings")
    async with me.page.expect_download() as downloading:
        await me.get("export").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(await (await downloading.value).path()).read_bytes()))
    exported = [archive.read(name).decode(errors="replace") for name in archive.namelist()]
    assert '"NAME"' in archive.read("profile.json").decode()
    assert heard
    assert_nowhere(events, *doms, *heard, *exported, *written(product), product.log())
    # given back, it is not there from the next turn on
    await open_page(me)
    await me.page.locator(f"[data-testid=give][data-agent='{agent}']").click()
    await expect(me.page.locator(f"[data-testid=give][data-agent='{agent}']")).to_have_attribute(
        "aria-pressed", "false"
    )
    await me.page.goto(workspace)
    assert sha256(b"").hexdigest() in await talk(me, USE, 2)


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light desk", "dark phone"])
async def test_the_page_says_what_is_wrong_and_is_accessible_by_keyboard_and_in_both_languages(
    start: Start, model: ModelServer, visit: Visit, dark: bool, phone: bool, tmp_path: Path
) -> None:
    product = await start(model_url=model.url)
    me = await visit(product, locale="ko-KR" if dark else "en-US", dark=dark, phone=phone)
    await me.sign_in()
    await me.new_agent()
    await open_page(me)
    await expect(me.get("no-secrets")).to_be_visible()
    await judge(me, "no secrets")
    for name, value, part in (
        ("lower", VALUE, "대문자" if dark else "capital letters"),
        ("PATH", VALUE, "시스템" if dark else "system"),
        ("TOKEN", "short", "8"),
    ):
        await add(me, name, value)
        await expect(me.get("secret-error")).to_contain_text(part)
    await me.get("secret-name").fill("TOKEN")
    await me.page.keyboard.press("Tab")
    await me.page.keyboard.type(VALUE)
    await me.page.keyboard.press("Tab")
    await me.page.keyboard.press("Enter")
    await expect(me.get("secret")).to_have_count(1)
    await expect(me.get("secret-error")).to_be_empty()
    await me.get("give").focus()
    await me.page.keyboard.press("Enter")
    await expect(me.get("give")).to_have_attribute("aria-pressed", "true")
    await me.get("replace").click()
    await me.get("secret").get_by_test_id("secret-value").fill(VALUE + "2")
    await judge(me, "a secret")
    await me.page.screenshot(path=tmp_path / "secrets.png", full_page=True)
    await me.get("save-replaced").click()
    await expect(me.get("secret").get_by_test_id("secret-value")).to_be_hidden()
    await expect(me.get("give")).to_have_attribute("aria-pressed", "true")
    await speaks(me, dark)
    await me.get("delete-secret").click()
    await judge(me, "a secret to be deleted")
    await me.get("delete-secret-do").click()
    await expect(me.get("no-secrets")).to_be_visible()
    key = product.data_dir / "vault.key"
    key.rename(key.with_suffix(".away"))
    await me.page.reload()
    await expect(me.get("vault-away")).to_be_visible()
    await judge(me, "no vault")
    product.allow(r"vault")
