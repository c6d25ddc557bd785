"""Tests of what an agent's own Bash can reach: its folder, the system's programs, and box.sock."""

import json
import re
import shutil
from hashlib import blake2b
from pathlib import Path

from playwright.async_api import expect

from core.spawner.box import PARTS
from tests.e2e.screen import Screen, kinds

CANARY = "canary-of-another-user"
SEARCH = Path(__file__).with_name("box_search.py")
PROGRAM = " ".join(f"/opt/oma/{part}" for part in PARTS)
GIVEN = f"/ /home/agent /run/oma {PROGRAM} /tmp /dev/shm"  # the mounts of a box that the platform fills
PRINT_ENVIRONMENTS = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | sort -u"
PRINT_COMMANDS = "for c in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $c; echo; done"
FIND_SOCKETS = f"find {GIVEN} -xdev -type s 2>/dev/null | sort -u"


async def test_nothing_of_other_users_can_be_seen(guest: Screen) -> None:
    homes = guest.product.data_dir / "homes"
    other = homes / "local-other"
    other.mkdir(parents=True)
    (other / "secret.txt").write_text(CANARY)
    seen = await bash(guest, f"ls {other}; ls {homes}; ls -A /home; find {GIVEN} -xdev -name secret.txt 2>/dev/null")
    assert "secret.txt" not in seen
    assert seen.count("No such file or directory") == 2, seen
    assert seen.strip().splitlines()[-1] == "agent", seen


async def test_the_platforms_key_is_in_no_environment_and_no_file(guest: Screen) -> None:
    seen = await bash(guest, PRINT_ENVIRONMENTS)
    assert "OMA_SESSION=" in seen, "the environment was not shown at all"
    assert guest.product.environ["ANTHROPIC_API_KEY"] not in seen and "boot_key" not in seen
    (folder,) = (guest.product.data_dir / "homes").glob(f"*/agents/{guest.agent}")
    shutil.copy(SEARCH, folder)
    # Backwards: neither the session's log nor any process may show the key itself, however this test ends.
    words = {"platform key": guest.product.environ["ANTHROPIC_API_KEY"], "control": "the control of this search"}
    backwards = {name: word[::-1] for name, word in words.items()}
    (folder / "backwards.json").write_text(json.dumps(backwards))
    (folder / "control.txt").write_text(words["control"])
    found = await bash(guest, f"/opt/venv/bin/python box_search.py backwards.json {GIVEN}")
    places = json.loads(found)
    assert places.keys() == words.keys() and places["platform key"] == []
    # The turn's snapshot keeps the contents of the agent's folder, of this file too, under their hash.
    kept = (
        f"/home/agent/.oma/changes/{guest.agent}/blobs/{blake2b(words['control'].encode(), digest_size=16).hexdigest()}"
    )
    assert set(places["control"]) - {kept} == {f"/home/agent/agents/{guest.agent}/control.txt"}


async def test_no_process_of_the_platform_but_the_own_runner_is_there(guest: Screen) -> None:
    seen = await bash(guest, PRINT_COMMANDS)
    lines = [line for line in seen.splitlines() if "main.py" in line]
    assert lines and all(" runner " in line for line in lines), lines
    assert str(guest.product.port) not in seen and "gateway" not in "".join(lines)


async def test_box_sock_is_the_only_way_out(guest: Screen) -> None:
    out = f"127.0.0.1/{guest.product.port} 1.1.1.1/443 169.254.169.254/80 10.0.0.1/80"
    tries = f'for a in {out}; do (timeout 2 bash -c "</dev/tcp/$a") 2>/dev/null && echo open $a; done'
    seen = await bash(guest, f"{FIND_SOCKETS}; {tries}; ls /sys/class/net; cat /proc/net/route | wc -l")
    assert "open" not in seen
    sockets = {line for line in seen.splitlines() if line.startswith("/")}
    assert {path for path in sockets if not path.startswith("/tmp/cc-socks/")} == {"/run/oma/box.sock"}  # the CLI's own
    assert "eth" not in seen and "ens" not in seen


async def test_the_program_and_the_system_cannot_be_written(guest: Screen) -> None:
    places = "/opt/oma/main.py /usr/bin/x /etc/x /run/oma/x /run/oma/box.sock"
    seen = await bash(
        guest,
        f"for p in {places}; do (echo x >> $p) 2>/dev/null && echo wrote $p; done; touch here && echo can write here",
    )
    assert seen.strip() == "can write here"


async def bash(me: Screen, command: str) -> str:
    """Let the agent run this, allowed by the user if it has to be, and give what came out."""
    turns = len(kinds(await me.events(), "turn_finished"))
    await me.say(f"TOOL((({command} ; true)))")
    over = me.answers.filter(has_text=re.compile("^(Result|Refused):"))
    await expect(me.permission.or_(over.nth(turns))).to_be_visible()
    if await me.permission.count():
        await me.get("allow").click()
    events = await me.until_turns(turns + 1)
    return str(kinds(events, "tool_returned")[-1]["content"])
