"""A published version works on, whatever the draft has become: the real CLI in a real box, asked over the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.e2e.conftest import Start
from tests.model_server import ModelServer
from tests.product import Product
from tests.timeouts import PATIENCE_S

ENDED = ("succeeded", "failed", "cancelled", "missed", "skipped")
LOOK = "TOOL(((cat CLAUDE.md .mcp.json; ls -a; echo more >> kept.txt; cat kept.txt; pwd)))"


class Api:
    """The API as the owner's own program uses it."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        answer = await self._http.request(method, f"/api/v1{path}", json=body, headers=headers)
        found: dict[str, Any] = answer.json()
        return found | ({"status_code": answer.status_code} if answer.status_code >= 400 else {})

    async def raw(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One request, and the answer as it came."""
        answer: httpx2.Response = await self._http.request(method, f"/api/v1{path}", **more)
        return answer

    async def run(self, agent: str, **body: Any) -> dict[str, Any]:
        """Start a run and wait for its end."""
        run = await self("POST", f"/agents/{agent}/runs", body)
        async with asyncio.timeout(PATIENCE_S):
            while run["state"] not in ENDED:
                await asyncio.sleep(0.1)
                run = await self("GET", f"/runs/{run['id']}")
        return run

    async def printed(self, run: dict[str, Any]) -> str:
        """Return what the tools of a run have printed."""
        events = (await self("GET", f"/runs/{run['id']}/events"))["events"]
        return "\n".join(str(event["content"]) for event in events if event["type"] == "tool_returned")

    async def write(self, agent: str, text: str) -> None:
        """Write the instructions."""
        etag = (await self("GET", f"/agents/{agent}/instructions"))["etag"]
        assert "status_code" not in await self("PUT", f"/agents/{agent}/instructions", {"text": text, "etag": etag})


@asynccontextmanager
async def owner(product: Product) -> AsyncIterator[Api]:
    headers = {"origin": product.url}
    async with httpx2.AsyncClient(base_url=product.url, headers=headers, timeout=PATIENCE_S) as http:
        await http.get(product.link)
        yield Api(http)


async def test_a_run_works_by_the_published_version_while_the_draft_is_broken(start: Start, model: ModelServer) -> None:
    product = await start(model_url=model.url)
    async with owner(product) as api:
        agent = (await api("POST", "/agents"))["agent"]["id"]
        definition = (await api("GET", f"/agents/{agent}"))["definition"]
        change = {"name": "Digest", "model": "claude-opus-5-5", "effort": "low", "permission_mode": "default"}
        await api("PATCH", f"/agents/{agent}", change, **{"If-Match": f'"{definition["revision"]}"'})
        await api.write(agent, "Version one says so.")
        folder = next(product.data_dir.rglob(f"agents/{agent}"))
        (folder / ".mcp.json").write_text('{"mcpServers": {"one": {"command": "true"}}}')
        (folder / "kept.txt").write_text("of the draft\n")
        rule = {"rules": ["Bash"], "revision": 1}
        assert (await api("PATCH", f"/agents/{agent}", rule))["definition"]["revision"] == 2
        assert (await api("POST", f"/agents/{agent}/publish", {"note": "first"}))["number"] == 1
        assert (await api("POST", f"/agents/{agent}/publish", {"note": "the same"}))["number"] == 1

        (folder / "CLAUDE.md").write_bytes(b"\xff\xfe broken draft")
        (folder / ".mcp.json").write_text("{broken draft")
        (folder / ".claude").mkdir(exist_ok=True)
        (folder / ".claude" / "settings.json").write_text('{"env": {"PATH": "/nowhere"}')
        await api("PATCH", f"/agents/{agent}", {"revision": 2, "model": "no-such-model", "name": "Broken"})
        run = await api.run(agent, input=LOOK)
        assert (run["state"], run["version"]) == ("succeeded", 1), run
        printed = await api.printed(run)
        assert "Version one says so." in printed
        assert '"one"' in printed
        assert "broken draft" not in printed
        assert f"/published/{agent}/v1" in printed
        asked = str(model.turns[-1].body)
        assert "Version one says so." in asked
        assert '"Digest"' in asked
        assert model.turns[-1].body["model"] == "claude-opus-5-5"
        assert "settings.json" not in printed

        tried = await api.printed(await api.run(agent, input=LOOK, version="draft"))
        assert "Version one says so." not in tried
        assert f"/agents/{agent}" in tried

        again = await api.printed(await api.run(agent, input=LOOK))
        assert "of the draft\nmore\nmore" in again, "a run finds what the one before has left"
        diff = await api("GET", f"/agents/{agent}/versions/1/diff")
        assert {one["name"] for one in diff["fields"]} == {"name", "model"}
        assert {"CLAUDE.md", ".mcp.json"} < {one["path"] for one in diff["files"]}
        assert (await api("POST", f"/agents/{agent}/versions/1/restore"))["number"] == 1
        assert (folder / "CLAUDE.md").read_text() == "Version one says so."
        assert (await api("GET", f"/agents/{agent}"))["definition"]["model"] == "claude-opus-5-5"
        assert [one["number"] for one in (await api("GET", f"/agents/{agent}/versions"))["versions"]] == [1]

        for objects in product.data_dir.rglob(f"versions/{agent}.git/objects/??/*"):
            objects.chmod(0o644)
            objects.write_bytes(b"a program was here")
        (folder.parent.parent / "published" / agent).rename(product.data_dir / "away")
        run = await api.run(agent, input=LOOK)
        assert run["state"] == "failed", "a version that was changed does not run"
