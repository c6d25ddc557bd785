"""A CLI that prints anything: a stand-in, for the corpus of hostile output only."""

import os
import sys
from pathlib import Path

from aiohttp import WSMsgType

from core.domain.events import Notice, Text, ToolReturned, TurnFinished
from tests.core.runner.box import Box

PROGRAM = """#!{python}
import json, os, sys
NOBODY = "<synthetic>"  # the model of what a CLI says by itself: no model has been called here
out = sys.stdout.buffer
def line(raw): out.write(raw + b"\\n"); out.flush()
def say(**said): line(json.dumps(said).encode())
def assistant(text):
    content = [{{"type": "text", "text": text}}]
    say(type="assistant", uuid="u", message={{"id": "m" + text[:3], "model": NOBODY, "content": content}})
for raw in sys.stdin.buffer:
    asked = json.loads(raw)
    if asked["type"] == "control_request":
        answer = {{"subtype": "success", "request_id": asked["request_id"], "response": {{}}}}
        say(type="control_response", response=answer)
        continue
    if asked["type"] != "user": continue
    what = asked["message"]["content"]
    if what == "corpus":
        line(b"not json at all"); line(b""); line(b"[1]"); line(b"null"); line(b'{{"type":')
        line(b'{{"type":"assistant","uuid":"u","message":{{"id":"a","model":"<synthetic>","content":[{{"type":"text","text":"\\xff\\xfe"}}]}}}}')
        line(b'{{"type":"assistant","message":{{"content":' + b"[" * 5000 + b"]" * 5000 + b"}}}}")
        line(b'{{"type":"result","user_message_uuids":["other"],"is_error":true}}')
        line(b'{{"type":"assistant","t":"' + b"y" * (50 << 20) + b'"}}')
        line(b'{{"type":"control_request","request_id":"x","request":{{"subtype":"can_use_tool"}}}}')
        line(b'{{"type":"control_request"}}'); line(b'{{"type":"control_response","response":7}}')
        sys.stderr.write("e" * 3_000_000); sys.stderr.flush()
        text = '{{"type":"text","text":"€😀\\u2028"}}'
        head = '{{"type":"assistant","uuid":"u","message":{{"id":"b","model":"<synthetic>","content":['
        whole = head + text + ']}}}}\\n'
        for byte in whole.encode():
            out.write(bytes([byte])); out.flush()
    if what == "flood":
        delta = {{"type": "content_block_delta", "index": 0, "delta": {{"type": "text_delta", "text": "x"}}}}
        start = {{"type": "message_start", "message": {{"id": "flood", "model": NOBODY}}}}
        say(type="stream_event", uuid="v", event=start)
        for n in range(100_000):
            out.write(json.dumps({{"type": "stream_event", "uuid": "v", "event": delta}}).encode() + b"\\n")
        out.flush()
    if what == "torn":
        out.write(b'{{"type":"assistant","mess'); out.flush(); os._exit(3)
    assistant("end")
    say(type="result", subtype="success", is_error=False, user_message_uuids=[asked["uuid"]], total_cost_usd=0)
"""


def stand_in(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cli"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)


async def test_the_fault_corpus_does_not_stop_the_turn(tmp_path: Path) -> None:
    async with Box(tmp_path, cli=stand_in(tmp_path)) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("corpus")
            end = await watch.until(TurnFinished)
    assert (end.outcome, end.reason) == ("ok", "")
    assert [text.text for text in watch.of(Text)] == ["\ufffd\ufffd", "€😀\u2028", "end"]
    assert [notice.text for notice in watch.of(Notice)] == ["output_skipped"]
    assert not watch.of(ToolReturned)


async def test_a_flood_of_deltas_is_survived_and_the_turn_ends(tmp_path: Path) -> None:
    async with Box(tmp_path, cli=stand_in(tmp_path)) as box:
        session = await box.session()
        await session.say("flood")
        async with session.watch() as watch:
            assert (await watch.until(TurnFinished, limit_s=60)).outcome == "ok"


async def test_a_reader_that_does_not_read_is_closed_and_comes_back_with_its_number(tmp_path: Path) -> None:
    async with Box(tmp_path, cli=stand_in(tmp_path)) as box:
        session = await box.session()
        async with session.watch() as asleep:
            await session.say("flood")
            async with session.watch() as watch:
                while not watch.of(TurnFinished):
                    try:
                        await watch.until(TurnFinished, limit_s=60)
                    except ConnectionError:
                        break
            while (await asleep.socket.receive()).type is WSMsgType.TEXT:
                pass
            assert asleep.socket.close_code == 4008
        async with session.watch() as again:
            await again.until(TurnFinished)


async def test_a_cli_that_dies_in_the_middle_of_a_line_ends_its_turn(tmp_path: Path) -> None:
    async with Box(tmp_path, cli=stand_in(tmp_path)) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("torn")
            assert (await watch.until(TurnFinished)).reason == "cli_died"
            await session.say("hello")
            assert (await watch.until(TurnFinished)).outcome == "ok"


async def test_a_program_that_is_no_cli_fails_the_session(tmp_path: Path) -> None:
    async with Box(tmp_path, cli="/bin/false") as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("hello")
            assert (await watch.until(TurnFinished)).reason == "cli_not_started"
    assert os.path.exists("/bin/false")
