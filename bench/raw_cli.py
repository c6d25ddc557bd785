"""The real CLI driven over stdio with nothing between: what the product is compared with.

It gets the arguments and the environment that the product gave its own CLI, read from that process, but for the
session's id. An in-process MCP server among them is served here too, with one tool.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

LINE_BYTES = 16 << 20
ANSWER_S = 30.0
END_S = 10.0
LEFT_OUT = ("--resume", "--session-id")
TOOL = {"name": "draft_agent", "description": "A tool.", "inputSchema": {"type": "object", "properties": {}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The start of the CLI: arguments (program first), environment, folder."""

    argv: list[str]
    environ: dict[str, str]
    folder: Path

    @classmethod
    def like(cls, process: psutil.Process, *, cli: Path, folder: Path, model_url: str) -> Self:
        """Build the recipe of a process that the product started, with the model server as its gateway."""
        kept = [str(cli)]
        words = iter(process.cmdline()[1:])
        for word in words:
            if word.split("=")[0] in LEFT_OUT:
                if "=" not in word:
                    next(words, None)
            else:
                kept.append(word)
        there = process.environ().get(
            "ANTHROPIC_BASE_URL", model_url
        )  # the bridge in the box; the settings name it, too
        kept = [word.replace(there, model_url) for word in kept]
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        environ = {name: value for name, value in process.environ().items() if name != "OMA_SESSION"}
        environ |= {"HOME": str(home), "ANTHROPIC_BASE_URL": model_url, "ANTHROPIC_API_KEY": "raw", "PWD": str(folder)}
        environ.pop("ANTHROPIC_AUTH_TOKEN", None)
        environ.pop("CLAUDE_CONFIG_DIR", None)
        environ = {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
        return cls(argv=kept, environ=environ, folder=folder)


@dataclass(slots=True, kw_only=True)
class Answer:
    """The times of a turn of the raw CLI, in seconds of CLOCK_MONOTONIC."""

    written_at: float
    first_text_at: float = 0.0
    last_text_at: float = 0.0
    result_at: float = 0.0
    texts_at: list[float] = field(default_factory=list)
    is_error: bool = False


class RawCli:
    """A persistent process of the raw CLI."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def initialize(self) -> None:
        """Make the control handshake that the SDK makes; the CLI answers when it accepts input."""
        await self._control({"subtype": "initialize", "hooks": None})
        async for line in self._lines():
            if line["type"] == "control_response":
                return

    async def ask(self, text: str) -> Answer:
        """Write a message and read until its result."""
        answer = Answer(written_at=time.monotonic())
        await self._write({"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": None})
        await self._read(answer)
        return answer

    async def ask_and_stop(self, text: str, *, after_s: float) -> tuple[float, float]:
        """Interrupt in mid-answer; return the seconds until it was acknowledged and until the turn's end."""
        await self._write({"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": None})
        async with asyncio.timeout(ANSWER_S):
            while not is_text(await self._line()):
                pass
            stop_at = asyncio.get_running_loop().time() + after_s
            while asyncio.get_running_loop().time() < stop_at:
                await self._line()
            began, acknowledged = time.monotonic(), 0.0
            await self._control({"subtype": "interrupt"})
            while True:
                line = await self._line()
                if line["type"] == "control_response":
                    acknowledged = time.monotonic()
                if line["type"] == "result":
                    return acknowledged - began, time.monotonic() - began

    async def _read(self, answer: Answer) -> None:
        async for line in self._lines():
            if is_text(line):
                answer.texts_at.append(time.monotonic())
            elif line["type"] == "result":
                answer.result_at, answer.is_error = time.monotonic(), bool(line.get("is_error"))
                answer.first_text_at, answer.last_text_at = answer.texts_at[0], answer.texts_at[-1]
                return

    async def _lines(self) -> AsyncIterator[dict[str, Any]]:
        async with asyncio.timeout(ANSWER_S):
            while True:
                yield await self._line()

    async def _line(self) -> dict[str, Any]:
        assert self.process.stdout
        raw = await self.process.stdout.readline()
        if not raw:
            raise RuntimeError("the raw CLI ended")
        line: dict[str, Any] = json.loads(raw)
        if line["type"] == "control_request" and line["request"]["subtype"] == "mcp_message":
            await self._serve(line["request_id"], line["request"]["message"])
            return await self._line()
        return line

    async def _serve(self, request_id: str, asked: dict[str, Any]) -> None:
        """Answer as the SDK does for an in-process MCP server."""
        result: dict[str, Any] = {}
        if asked["method"] == "initialize":
            version = asked["params"]["protocolVersion"]
            info = {"name": "oma", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif asked["method"] == "tools/list":
            result = {"tools": [TOOL]}
        reply = {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}
        response = {"subtype": "success", "request_id": request_id, "response": {"mcp_response": reply}}
        await self._write({"type": "control_response", "response": response})

    async def _control(self, request: dict[str, Any]) -> None:
        await self._write({"type": "control_request", "request_id": uuid.uuid4().hex, "request": request})

    async def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()


def is_text(line: dict[str, Any]) -> bool:
    """Return True for a line that carries a piece of the answer."""
    event = line.get("event", {})
    if line["type"] != "stream_event" or event.get("type") != "content_block_delta":
        return False
    return bool(event["delta"].get("type") == "text_delta")


@asynccontextmanager
async def raw_cli(recipe: Recipe, *more: str, stderr: int = asyncio.subprocess.DEVNULL) -> AsyncIterator[RawCli]:
    """Run a CLI process while the context is open; it is not waited for to be ready."""
    process = await asyncio.create_subprocess_exec(
        *recipe.argv, *more, env=recipe.environ, cwd=recipe.folder, stdin=-1, stdout=-1, stderr=stderr, limit=LINE_BYTES
    )
    try:
        yield RawCli(process)
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()
