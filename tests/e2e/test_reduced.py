"""Walks without a box: the real CLI works under Landlock, its Bash reaches nobody's files, and every page says so."""

from playwright.async_api import expect

from core.spawner.host import inspect_host
from core.spawner.probe import try_cage
from tests.canary import KEY
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import kinds
from tests.model_server import ModelServer

TRY = (
    "cat ../../../../oma.db; cat ../../../../secret; ls /tmp; "
    f"cat /proc/[0-9]*/environ | grep -ac {KEY[7:25]}; echo x > y; cat y"  # a part: the whole would be what is found
)


async def test_without_a_box_agents_work_under_landlock_and_people_are_told(
    start: Start, visit: Visit, model: ModelServer
) -> None:
    assert try_cage(inspect_host()), "no Landlock here"
    product = await start(model_url=model.url, OMA_SANDBOX="landlock")
    me = await visit(product)
    await me.sign_in()
    await expect(me.page.locator("[data-testid=banner][data-kind=reduced]")).to_be_visible()
    await me.new_agent()
    await me.say(f"TOOL((({TRY})))")
    await me.get("allow").click()
    events = await me.until_turns(1)
    said = str(kinds(events, "tool_returned")[-1]["content"]).splitlines()
    assert [line for line in said if "Permission denied" in line][:3] != []
    assert said[-2:] == ["0", "x"], said
    assert "SQLite" not in "".join(said)
