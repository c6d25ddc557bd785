"""The real CLI as somebody runs it without us: a folder, a mode, rules, and a host that denies whatever it asks."""

import asyncio
import json
import tempfile
from pathlib import Path

from core.runner.cli_argv import TOOLS
from tests.core.runner.box import CLI
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S


async def asked_by(root: Path, said: str, rules: list[str], *, mode: str = "default") -> list[dict[str, object]]:
    """The inputs of the tools that the CLI asks about while it does what is said."""
    folder = root / "agent"
    folder.mkdir(exist_ok=True)
    async with ModelServer() as model:
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8",
            "TMPDIR": tempfile.gettempdir(),
            "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.url, "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1",
        }  # fmt: skip
        cli = await asyncio.create_subprocess_exec(
            CLI, "--output-format=stream-json", "--input-format=stream-json", "--verbose",
            "--permission-prompt-tool=stdio", "--setting-sources=project", "--strict-mcp-config",
            f"--permission-mode={mode}", f"--tools={','.join(TOOLS)}",
            *([f"--allowedTools={','.join(rules)}"] if rules else []),
            cwd=folder, env=env, limit=1 << 24,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await _talk(cli, said)
        finally:
            cli.kill()
            await cli.wait()


async def _talk(cli: asyncio.subprocess.Process, said: str) -> list[dict[str, object]]:
    assert cli.stdin and cli.stdout
    asked = []
    first = {"type": "control_request", "request_id": "i", "request": {"subtype": "initialize", "hooks": None}}
    message = {"role": "user", "content": said}
    user = {"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "default"}
    for line in (first, user):
        cli.stdin.write(json.dumps(line).encode() + b"\n")
    async for line in cli.stdout:
        heard = json.loads(line)
        if heard.get("type") == "result":
            return asked
        if heard.get("type") == "control_request" and heard["request"]["subtype"] == "can_use_tool":
            asked.append(heard["request"]["input"])
            answer = {"behavior": "deny", "message": "no"}
            response = {"subtype": "success", "request_id": heard["request_id"], "response": answer}
            cli.stdin.write(json.dumps({"type": "control_response", "response": response}).encode() + b"\n")
    raise AssertionError("the CLI ended before its turn did")
