"""The attack tables S1, S2, S6 and S9 of SECURITY.md, carried out by an agent's own Bash: a row each, none may find."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from core.protocol import gateway_api
from tests.e2e.screen import Screen, kinds

SCRIPT = Path(__file__).with_name("box_probe.py")
FILE_CANARY, PROCESS_CANARY = "canary-in-a-file-of-another-user", "canary-of-a-process-outside"
RUNNERS_CALLS = sorted(
    path for path in vars(gateway_api).values() if isinstance(path, str) and path.startswith("/internal/")
)
RUN = "TOOL(((/opt/venv/bin/python box_probe.py facts.json > found.json ; true)))"


@pytest.mark.box_probes
async def test_no_probe_by_the_agents_own_bash_finds_a_secret_a_stranger_a_way_out_or_a_way_up(me: Screen) -> None:
    folder = await folder_of(me)
    shutil.copy(SCRIPT, folder)
    (folder / "facts.json").write_text(json.dumps(facts(me)))
    outside = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", PROCESS_CANARY, env={"CANARY": PROCESS_CANARY}, stdin=asyncio.subprocess.PIPE
    )
    try:
        turns = len(kinds(await me.events(), "turn_finished"))
        await me.say(RUN)
        await me.get("allow").click()
        await me.until_turns(turns + 1)
    finally:
        await outside.communicate(b"\n")
    said = json.loads((folder / "found.json").read_text())
    table = {name: found for name, found in said["table"].items()}
    print(*(f"{name:42} {'held' if not found else found}" for name, found in table.items()), sep="\n")
    assert all(said["controls"].values()), said["controls"]
    assert len(table) >= 40
    assert {f"s7_the_runners_{path}" for path in RUNNERS_CALLS} <= table.keys() and len(RUNNERS_CALLS) >= 5
    assert {name: found for name, found in table.items() if found} == {}


async def folder_of(me: Screen) -> Path:
    """The folder of the agent that is being talked to."""
    await me.say("N=1")
    await me.until_turns(1)
    homes = me.product.data_dir / "homes"
    (folder,) = homes.glob("*/agents/*")
    return folder


def facts(me: Screen) -> dict[str, object]:
    data = me.product.data_dir
    other = data / "homes" / "local-other"
    other.mkdir(parents=True)
    (other / "secret.txt").write_text(FILE_CANARY)
    canaries = {
        "platform key": me.product.environ["ANTHROPIC_API_KEY"],
        "platform secret": (data / "secret").read_text().strip(),
        "file of another user": FILE_CANARY,
        "process outside": PROCESS_CANARY,
    }
    places = {
        "database": data / "oma.db",
        "platform_secret": data / "secret",
        "another_home": other,
        "data_folder": data,
        "runtime_folder": me.product.runtime,
        "tmp_of_others": data.parent,
        "ssh_keys": Path.home() / ".ssh",
        "shadow": "/etc/shadow",
        "private_keys": "/etc/ssl/private",
        "logs": "/var/log",
        "docker": "/var/run/docker.sock",
        "home_of_the_platforms_user": a_file_of(Path.home()),
        "auth_and_pages": "/opt/oma/ui",
    }
    here = Path(os.getcwd())
    return {
        "canaries": {name: text[::-1] for name, text in canaries.items()},
        "places": {name: str(path) for name, path in places.items()} | {"this_folder": str(here / "tests")},
        "port": me.product.port,
        "runners_calls": RUNNERS_CALLS,
        "session": me.session,
    }


def a_file_of(folder: Path) -> Path:
    """Return a file of this user if there is any: a new machine's user may have none, or no home."""
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    return files[0] if files else folder / ".profile"
