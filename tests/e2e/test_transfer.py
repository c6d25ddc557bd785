"""An agent goes home and comes back: plain `claude` runs what was exported, and an import does nothing unasked."""

import asyncio
import io
import json
import os
import zipfile
from pathlib import Path

from tests.canary import KEY
from tests.core.runner.box import CLI
from tests.e2e.conftest import Start
from tests.e2e.test_versions import owner
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S

HOOK = {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch /tmp/oma-hook-ran"}]}]}}


async def test_an_exported_agent_runs_with_plain_claude_and_its_import_asks_for_each_thing_it_wants(
    start: Start, model: ModelServer, tmp_path: Path
) -> None:
    product = await start(model_url=model.url)
    async with owner(product) as api:
        agent = (await api("POST", "/agents"))["agent"]["id"]
        change = {"revision": 0, "name": "Digest", "rules": ["Bash(gh issue list:*)"], "egress": ["api.example.com"]}
        await api("PATCH", f"/agents/{agent}", change)
        await api.write(agent, "Instructions that went home.")
        folder = next(product.data_dir.rglob(f"agents/{agent}"))
        (folder / ".claude").mkdir(exist_ok=True)
        (folder / ".claude" / "settings.json").write_text(json.dumps(HOOK))
        assert (await api("POST", f"/agents/{agent}/publish", {}))["number"] == 1
        raw = (await api.raw("GET", f"/agents/{agent}/export?version=1")).content

        home = tmp_path / "home"
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            archive.extractall(home)
        (home / ".claude" / "settings.json").unlink()  # plain claude would run the hook
        process = await asyncio.create_subprocess_exec(
            CLI, "-p", "SAY(((at home)))", cwd=home, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ANTHROPIC_BASE_URL": model.url,
                 "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        )  # fmt: skip
        out, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert "at home" in out.decode(), errors
        assert "Instructions that went home." in str(model.turns[-1].body)

        made = (await api.raw("POST", "/agents/import", content=raw)).json()
        new = made["agent"]
        assert (new["name"], new["draft"], new["egress"], new["rules"], new["permission_mode"]) == (
            "Digest", True, [], [], "default",
        )  # fmt: skip
        kinds = {wish["kind"]: wish["value"] for wish in made["wishes"]}
        assert kinds == {
            "hook": "hooks",
            "rule": "Bash(gh issue list:*)",
            "host": "api.example.com",
            "mode": "acceptEdits",
        }
        path = f"/agents/{new['id']}/wishes"
        await api("POST", path, {"kind": "host", "value": "api.example.com", "yes": True})
        await api("POST", path, {"kind": "rule", "value": "Bash(gh issue list:*)", "yes": False})
        left = (await api("POST", path, {"kind": "hook", "value": "hooks", "yes": True}))["wishes"]
        assert [wish["kind"] for wish in left] == ["mode"]
        definition = (await api("GET", f"/agents/{new['id']}"))["definition"]
        assert (definition["egress"], definition["rules"]) == (["api.example.com"], [])
        tried = await api.run(new["id"], input="SAY(((tried)))", version="draft")
        assert tried["state"] == "succeeded", tried
        assert not Path("/tmp/oma-hook-ran").exists()

        twin = await api("POST", f"/agents/{agent}/duplicate")
        assert (twin["name"], twin["rules"], twin["published"]) == ("Digest", ["Bash(gh issue list:*)"], 0)
        assert (await api("GET", f"/agents/{twin['id']}/instructions"))["text"] == "Instructions that went home."
        refused = await api.raw("POST", "/agents/import", content=b"PK no archive")
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_archive")
