"""The answers of the scripted model: a pure function of the request, with directives in the user's last message."""

import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
SIZES = {"KB": 1 << 10, "MB": 1 << 20, "": 1}
PIECE = re.compile(
    r"(?P<verb>SAY|TOOL|WRITE|USE|THINK)\(\(\((?P<one>.*?)\)\)\)(?!\))(?:\(\(\((?P<two>.*?)\)\)\)(?!\)))?"
    r"|now allowed it: the use of (?P<tool>\w+) with (?P<input>\{.*\})\. Do exactly"
    r"|\b(?P<word>ASK|PLAN|TODO|THINK)\b|\bN=(?P<n>\d+)|\bHUGE=(?P<huge>\d+)(?P<unit>KB|MB|)",
    re.S,
)
PACE = re.compile(r"\b(GAP|SLOW)=(\d+(?:\.\d+)?)")
CHARS = re.compile(r"\bCHARS=([1-9]\d*)")
FAULT = re.compile(r"\b(?:(CUT|STALL|ERREVENT)@(\d+)|(HANG)|ERR(\d{3}))(?:x(\d+))?\b")
FOLDER = re.compile(r'[Ww]orking directory: ([^\s"\\]+)')  # as the CLI tells the model, inside JSON
WORD = re.compile(r"\s*\S+|\s+\Z")
REMARK = re.compile(r"<system-reminder>.*?</system-reminder>|\[Request interrupted by user[^]]*\]", re.S)
QUESTION = {
    "questions": [
        {
            "question": "Which colour?",
            "header": "Colour",
            "options": [{"label": "Red", "description": "Warm"}, {"label": "Blue", "description": "Cool"}],
            "multiSelect": False,
        }
    ]
}
TODOS = {
    "todos": [
        {"content": "Look", "status": "completed", "activeForm": "Looking"},
        {"content": "Write", "status": "in_progress", "activeForm": "Writing"},
        {"content": "Check", "status": "pending", "activeForm": "Checking"},
    ]
}


@dataclass(slots=True, kw_only=True)
class Script:
    """The answer to a request: blocks in the form of the API's `content`, and the pace of the stream."""

    blocks: list[Json] = field(default_factory=list)
    gap_s: float = 0.0
    slow_s: float = 0.0
    chars: int = 0  # of a delta of text; 0: each is a word
    fault: str = ""
    after: int = 0  # deltas before the fault


def words(content: object) -> list[str]:
    """The texts of a `content` (string or blocks), without the CLI's own remarks."""
    blocks = content if isinstance(content, list) else [{"type": "text", "text": str(content)}]
    texts = (REMARK.sub("", block["text"]).strip() for block in blocks if block.get("type") == "text")
    return [text for text in texts if text]


def read(messages: list[Json]) -> tuple[str, list[Json]]:
    """The last thing the user said, and the tool results since then."""
    results: list[Json] = []
    for message in reversed(messages):
        if message["role"] != "user":
            continue
        content = message["content"]
        found = [block for block in content if block.get("type") == "tool_result"] if isinstance(content, list) else []
        if found:
            results = found + results
        elif said := words(content):
            return said[-1], results
    return "", results


def act(piece: re.Match[str], folder: str) -> Json | None:
    """The tool call that a directive stands for."""
    one, two = piece["one"] or "", piece["two"] or ""
    if piece["tool"]:
        return {"name": piece["tool"], "input": json.loads(piece["input"])}
    match piece["verb"] or piece["word"]:
        case "TOOL":
            return {"name": "Bash", "input": {"command": one, "description": "As the script says"}}
        case "WRITE":
            path = one if one.startswith("/") else f"{folder}/{one}"
            return {"name": "Write", "input": {"file_path": path, "content": two}}
        case "USE":
            return {"name": one, "input": json.loads(two or "{}")}
        case "ASK":
            return {"name": "AskUserQuestion", "input": QUESTION}
        case "PLAN":
            return {"name": "ExitPlanMode", "input": {"plan": "1. Look\n2. Write"}}
        case "TODO":
            return {"name": "TodoWrite", "input": TODOS}
    return None


def says(piece: re.Match[str], word: str) -> Json | None:
    """The block that a directive says; `word` is the stem of numbered words."""
    if piece["verb"] == "THINK" or piece["word"] == "THINK":
        return {"type": "thinking", "thinking": piece["one"] or "Let me think about this."}
    if piece["n"]:
        return {"type": "text", "text": " ".join(f"{word}{i}" for i in range(int(piece["n"])))}
    if piece["huge"]:
        return {"type": "text", "text": ("0123456789abcde\n" * (int(piece["huge"]) * SIZES[piece["unit"]] // 16))}
    return {"type": "text", "text": piece["one"]} if piece["verb"] == "SAY" else None


def quote(results: list[Json], prompt: str) -> str:
    """The last words of an answer that nobody scripted."""
    if not results:
        return f"You said: {prompt}"
    content = results[-1].get("content", "")
    shown = content if isinstance(content, str) else "\n".join(words(content))
    return f"{'Refused' if results[-1].get('is_error') else 'Result'}: {shown}"


def script(body: Json, attempt: int) -> Script:
    """The answer to this request when it is asked for the `attempt`-th time (from 0)."""
    prompt, results = read(body["messages"])
    told = FOLDER.search(json.dumps([body.get("system"), body["messages"][:4]]))
    folder = told[1] if told else "/tmp"
    answer = Script()
    for name, value in PACE.findall(prompt):
        setattr(answer, f"{name.lower()}_s", float(value))
    if chars := CHARS.search(prompt):
        answer.chars = int(chars[1])
    if fault := FAULT.search(prompt):
        kind, after, hang, status, times = fault.groups()
        limit = int(times) if times else (1 if kind in ("CUT", "ERREVENT") else sys.maxsize)
        if attempt < limit:
            answer.fault, answer.after = kind or hang or status, int(after or 0)
    word = "again" if attempt and fault and fault[1] in ("CUT", "ERREVENT") else "w"
    answer.blocks = blocks(prompt, results, folder, word)
    return answer


def blocks(prompt: str, results: list[Json], folder: str, word: str) -> list[Json]:
    """The segment of the prompt's directives that is due after this many tool results."""
    due = len(results)
    said: list[Json] = []
    for piece in PIECE.finditer(prompt):
        if call := act(piece, folder):
            if not due:
                return [*said, {"type": "tool_use", "id": f"toolu_{time.monotonic_ns()}", **call}]
            due, said = due - 1, []
        elif block := says(piece, word):
            said.append(block)
    if not any(block["type"] == "text" for block in said):
        said.append({"type": "text", "text": quote(results, prompt)})
    return said


def deltas(block: Json, chars: int = 0) -> list[Json]:
    """A block as it streams: words, or pieces of `chars` characters, of 64 KB when it is big."""
    if block["type"] == "tool_use":
        whole = json.dumps(block["input"])
        half = len(whole) // 2
        return [{"type": "input_json_delta", "partial_json": part} for part in (whole[:half], whole[half:]) if part]
    if block["type"] == "thinking":
        said = [{"type": "thinking_delta", "thinking": word} for word in WORD.findall(block["thinking"])]
        return [*said, {"type": "signature_delta", "signature": "c2ln"}]
    text = block["text"]
    if size := chars or (1 << 16 if len(text) > 1 << 18 else 0):
        return [{"type": "text_delta", "text": text[i : i + size]} for i in range(0, len(text), size)]
    return [{"type": "text_delta", "text": part} for part in WORD.findall(text)]


def empty(block: Json) -> Json:
    """A block as `content_block_start` shows it: still empty."""
    start: Json = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    return {**block, **start[block["type"]]}


def end(said: list[Json]) -> Json:
    """Return how the message ends."""
    return {"stop_reason": "tool_use" if said[-1]["type"] == "tool_use" else "end_turn", "stop_sequence": None}
