"""The practice model as a provider: answers in the form of the Messages API, streamed at reading pace."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from core.gateway.http_errors import api_error
from core.gateway.practice.agent import agent_answer, judgement
from core.gateway.practice.builder import builder_answer
from core.gateway.practice.conversation import read_conversation
from core.gateway.practice.side_requests import side_reply
from core.gateway.practice.tool_uses import Block, TextBlock, ToolUseBlock
from core.gateway.providers import AnswerObserver, Call

Json = dict[str, Any]

PACE_S = 0.025  # between pieces: about as fast as a quick model
WORDS_AT_ONCE = 2
INPUT_CHARS = 120  # of a tool's input at once
CHARS_A_TOKEN = 4
MODEL = "oma-practice"


class PracticeProvider:
    """The Provider over the practice model. It keeps nothing between two calls."""

    def __init__(self, *, pace_s: float = PACE_S) -> None:
        self._pace_s = pace_s

    async def close(self) -> None:
        return

    async def answer(
        self, call: Call, request: web.Request, observer: AnswerObserver | None = None
    ) -> web.StreamResponse:
        try:
            body = msgspec.json.decode(call.body, type=Json)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return api_error(400, f"not a request: {error}"[:300])
        if call.path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": tokens_of(call.body)})
        blocks = blocks_of(body)
        message = _message(body, blocks, input_tokens=tokens_of(call.body))
        if observer:
            observer.begins(streams=bool(body.get("stream")))
        if not body.get("stream"):
            whole = msgspec.json.encode(message)
            if observer:
                await observer.passes(whole)
                await observer.end()
            return web.Response(body=whole, content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
        await response.prepare(request)
        for number, piece in enumerate(sse(message)):
            if number > 2:  # the first words are sent at once
                await asyncio.sleep(self._pace_s)
            if observer:
                await observer.passes(piece)
            await response.write(piece)
        await response.write_eof()
        return response


def blocks_of(body: Json) -> tuple[Block, ...]:
    """Return the practice model's answer to a request."""
    conversation = read_conversation(body)
    if conversation.judges:
        return (TextBlock(text=judgement(conversation)),)
    aside = side_reply(body, conversation)
    if aside is not None:
        return (TextBlock(text=aside),)
    return agent_answer(conversation) if conversation.agent else builder_answer(conversation)


def tokens_of(text: bytes | str) -> int:
    """Estimate the tokens of a text."""
    return max(1, len(text) // CHARS_A_TOKEN)


def sse(message: Json) -> Iterator[bytes]:
    """Yield a message as the events of its stream; the first three are start, block and first words."""
    empty = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield _event({"type": "message_start", "message": empty})
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start: Json = {"type": "text", "text": ""}
            deltas: Iterator[Json] = ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
        else:
            start = block | {"input": {}}
            given = msgspec.json.encode(block["input"]).decode()
            parts = (given[i : i + INPUT_CHARS] for i in range(0, len(given), INPUT_CHARS))
            deltas = ({"type": "input_json_delta", "partial_json": part} for part in parts)
        yield _event({"type": "content_block_start", "index": index, "content_block": start})
        for delta in deltas:
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": message["usage"]["output_tokens"]}
    yield _event({"type": "message_delta", "delta": end, "usage": usage}) + _event({"type": "message_stop"})


def pieces(text: str) -> list[str]:
    """Cut a text after every few words; joined again it is the same."""
    words = re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)
    return ["".join(words[i : i + WORDS_AT_ONCE]) for i in range(0, len(words), WORDS_AT_ONCE)]


def _message(body: Json, blocks: tuple[Block, ...], *, input_tokens: int) -> Json:
    """Make the message, with a new id for every answer, as a real model does."""
    content = [_block(block) for block in blocks]
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model") if isinstance(body.get("model"), str) else MODEL,
        "content": content,
        "stop_reason": "tool_use" if any(isinstance(block, ToolUseBlock) for block in blocks) else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens, "output_tokens": tokens_of(msgspec.json.encode(content))},
    }


def _block(block: Block) -> Json:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": block.name, "input": block.input}


def _event(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"
