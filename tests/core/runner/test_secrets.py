"""An agent's secrets in its box: its programs have them, and nothing that is kept or shown says what they are."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest

from core.domain.events import Live, StateChanged, Text, TextDelta, ToolReturned, TurnFinished, UserSaid, encode_many
from core.domain.states import SessionState
from core.protocol.gateway_api import AgentSpec, SessionSpec, Spec
from core.runner.cli_argv import CliPaths, environment
from core.runner.known_secrets import KnownSecrets
from tests.core.runner.box import Box, Talker

VALUE = "canary/+=한글 value-0123456789"
SPELLED = (VALUE, b64encode(VALUE.encode()).decode()[:-4], quote(VALUE, safe=""), quote(VALUE), "value-0123456789")
SPOKEN = f"SAY(((it is {VALUE}, said at once, and {quote(VALUE)}))) GAP=0.001"
SHELL = (
    'TOOL(((echo "$TOKEN"; printf %s "$TOKEN" | base64 -w0; printf %s "$TOKEN" > $TMPDIR/x && cat $TMPDIR/x; '
    'rm $TMPDIR/x; echo; printf %s "$TOKEN" | sha256sum)))'
)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    async with Box(tmp_path) as box:
        yield box


async def talker(box: Box, *, agent: str = "", **secrets: str) -> Talker:
    session = await box.session(rules=["Bash"], **({"id": agent} if agent else {}))
    box.gateway.specs[session.id]["secrets"] = secrets
    return session


async def ask(session: Talker, text: str) -> list[object]:
    """Everything a page was told until the turn's end."""
    async with session.watch() as watch:
        await watch.until(Live)
        await session.say(text)
        await watch.until(TurnFinished)
        await watch.until(lambda e: isinstance(e, StateChanged) and e.state is not SessionState.BUSY)
        return list(watch.seen)


def output(seen: list[object]) -> str:
    return "".join(event.content for event in seen if isinstance(event, ToolReturned))


def assert_hidden(text: str) -> None:
    for spelling in (*SPELLED, *(json.dumps(one)[1:-1] for one in SPELLED)):
        assert spelling not in text


async def test_programs_have_the_value_and_no_event_log_ingest_or_reader_does(box: Box) -> None:
    session = await talker(box, TOKEN=VALUE)
    seen = await ask(session, SHELL)
    assert sha256(VALUE.encode()).hexdigest() in output(seen)
    assert output(seen).count("***") >= 2
    seen += await ask(session, SPOKEN)
    said = "".join(event.text for event in seen if isinstance(event, TextDelta))
    assert "it is ***, said at once, and ***" in said
    assert any(isinstance(event, UserSaid) and "it is ***" in event.text for event in seen)
    assert any(isinstance(event, Text) and "it is ***" in event.text for event in seen)
    stored = await session.stored()
    await box.gateway.until(session.id, len(stored))
    for kept in (
        encode_many(seen).decode(),  # type: ignore[arg-type]
        encode_many(stored).decode(),
        session.log.read_text(),
        json.dumps(box.gateway.events[session.id], ensure_ascii=False),
        json.dumps(await box.call("GET", "/v1/status")),
    ):
        assert_hidden(kept)
    # what masks does not change what is said to the model
    assert any(f"it is {VALUE}" in json.dumps(one.body, ensure_ascii=False) for one in box.model.turns)


async def test_another_agent_does_not_have_it_and_does_not_show_what_it_finds_of_it(box: Box) -> None:
    with_it, without = await talker(box, TOKEN=VALUE), await talker(box)
    await ask(with_it, 'TOOL(((printf %s "$TOKEN" > ../note)))')
    seen = await ask(without, 'TOOL(((echo "<$TOKEN>"; cat ../note)))')
    assert "<>" in output(seen) and "***" in output(seen)
    assert_hidden(encode_many(seen).decode())  # type: ignore[arg-type]


async def test_what_changed_is_there_at_the_next_turn_and_no_turn_is_cut_short_for_it(box: Box) -> None:
    session = await talker(box, TOKEN=VALUE)
    async with session.watch() as watch:
        await session.say('TOOL(((until test -e go; do sleep 0.05; done; printf %s "$TOKEN" | wc -c)))')
        await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.BUSY)
        box.gateway.specs[session.id]["secrets"] = {"TOKEN": VALUE + VALUE}
        assert (await box.call("POST", f"/v1/agents/{session.agent}/renew"))["status"] == 202
        await watch.until(lambda e: type(e).__name__ == "ToolCalled")
        (session.folder / "go").touch()
        assert str(len(VALUE.encode())) in (await watch.until(ToolReturned)).content
        assert (await watch.until(TurnFinished)).outcome == "ok"
        await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.ASLEEP)
        await session.say('TOOL(((printf %s "$TOKEN" | wc -c)))')
        assert str(2 * len(VALUE.encode())) in (await watch.until(ToolReturned)).content
        await watch.until(TurnFinished)
        box.gateway.specs[session.id]["secrets"] = {}
        await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.IDLE)
        await box.call("POST", f"/v1/agents/{session.agent}/renew")
        await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.ASLEEP)


def test_no_secret_takes_the_place_of_what_the_platform_says_and_a_spec_does_not_show_itself() -> None:
    secrets = {"PATH": "/evil", "ANTHROPIC_BASE_URL": "http://evil", "TOKEN": VALUE}
    spec = Spec(token="t", agent=AgentSpec(id="a"), session=SessionSpec(id="s"), secrets=secrets)
    told, plain = environment(spec, CliPaths("claude", Path("h"), 1)), CliPaths("claude", Path("h"), 1)
    assert told == {**environment(Spec(token="t", agent=spec.agent, session=spec.session), plain), "TOKEN": VALUE}
    assert VALUE not in repr(spec)


def test_old_values_stay_known_until_there_are_too_many_and_what_is_known_costs_nothing() -> None:
    told: list[list[str]] = []
    known = KnownSecrets(learned=told.append)
    assert not known.redactor and not told[1:]
    known.learn(["first-value"])
    before = known.redactor
    known.learn(["first-value"])
    assert known.redactor is before
    known.learn(["second-value"])
    assert known.redactor.mask_text("first-value second-value") == "*** ***"
    known.learn(f"{number:03}" * 21_000 for number in range(9))
    assert known.redactor.mask_text("first-value") == "first-value"
    assert told[0] == ["first-value"]
