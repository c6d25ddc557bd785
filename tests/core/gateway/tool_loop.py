"""A tiny tool loop around the practice model: what a CLI does, without one."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.gateway.practice.conversation import DRAFT
from core.gateway.practice.tool_uses import ToolUseBlock
from core.gateway.providers.practice import blocks_of

Json = dict[str, Any]
BUILDER_TOOLS = ("Bash", "Read", "Write", "Edit", DRAFT)
ERROR = True


@dataclass
class ToolLoop:
    """A session. `deny` gives a message for each denied call; all other calls are really carried out in `folder`."""

    folder: Path
    tools: tuple[str, ...] = BUILDER_TOOLS
    deny: Callable[[ToolUseBlock], str] = lambda use: ""
    system: str = "You are the agent builder of Oh My Agent."
    messages: list[Json] = field(default_factory=list)
    used: list[ToolUseBlock] = field(default_factory=list)
    drafts: list[Json] = field(default_factory=list)
    _ids: Any = field(default_factory=itertools.count)

    @property
    def body(self) -> Json:
        return {
            "model": "m",
            "system": [
                {"type": "text", "text": f"{self.system}\n - Primary working directory: {self.folder}\n - Shell: bash"}
            ],
            "messages": self.messages,
            "tools": [{"name": name} for name in self.tools],
        }

    def say(self, text: str) -> str:
        """Run a turn and return the model's last text in it."""
        content = [
            {"type": "text", "text": "<system-reminder>\nToday is a day.\n</system-reminder>"},
            {"type": "text", "text": text},
        ]
        self.messages.append({"role": "user", "content": content})
        return self.go_on()

    def go_on(self) -> str:
        for _ in range(20):
            blocks = blocks_of(self.body)
            assert blocks == blocks_of(self.body), "the same request has the same answer"
            uses = [block for block in blocks if isinstance(block, ToolUseBlock)]
            text = "".join(block.text for block in blocks if not isinstance(block, ToolUseBlock))
            content: list[Json] = [{"type": "text", "text": text}]
            results = []
            for use in uses:
                id = f"toolu_{next(self._ids)}"
                content.append({"type": "tool_use", "id": id, "name": use.name, "input": use.input})
                said, is_error = self._do(use)
                results.append({"type": "tool_result", "tool_use_id": id, "content": said, "is_error": is_error})
            self.messages.append({"role": "assistant", "content": content})
            self.used += uses
            if not uses:
                return text
            self.messages.append({"role": "user", "content": results})
        raise AssertionError("it goes round in circles")

    @property
    def names(self) -> list[str]:
        """Return the tools that were used, those for files with the files' names."""
        return [Path(use.input["file_path"]).name if "file_path" in use.input else use.name for use in self.used]

    def _do(self, use: ToolUseBlock) -> tuple[Any, bool]:
        if denied := self.deny(use):
            return denied, ERROR
        match use.name:
            case "Write":
                path = Path(use.input["file_path"])
                assert path.is_absolute(), "the CLI takes no other"
                done = (
                    f"The file {path} has been updated." if path.exists() else f"File created successfully at: {path}"
                )
                path.write_text(use.input["content"])
                return done, False
            case "Read" if Path(use.input["file_path"]).is_file():
                lines = Path(use.input["file_path"]).read_text().splitlines()
                return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, start=1)), False
            case "Read":
                return "<tool_use_error>File does not exist.</tool_use_error>", ERROR
            case "Bash":
                return self._bash(use.input["command"])
            case name if name == DRAFT:
                self.drafts.append(use.input)
                return [{"type": "text", "text": "Saved."}], False
        return "done", False

    def _bash(self, command: str) -> tuple[str, bool]:
        assert command == "python3 main.py"
        done = subprocess.run(
            [sys.executable, "-I", "main.py"], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            return f"Exit code {done.returncode}\n{done.stderr}", ERROR
        return done.stdout, False


def plain(*turns: str, tools: tuple[str, ...] = BUILDER_TOOLS) -> str:
    """The answer to the last of these, said by the person and the model in turn."""
    messages = [{"role": "user" if n % 2 == 0 else "assistant", "content": text} for n, text in enumerate(turns)]
    blocks = blocks_of({"messages": messages, "tools": [{"name": name} for name in tools]})
    return "".join(block.text for block in blocks if not isinstance(block, ToolUseBlock))
