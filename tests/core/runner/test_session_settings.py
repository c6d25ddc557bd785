"""Settings that are switched while a session goes on, and the commands that a page offers: with the real CLI."""

from pathlib import Path

import pytest

from core.domain.events import AnyEvent, Asked, Decided, Notice, StateChanged, Text, ToolCalled, TurnFinished
from core.domain.slash_commands import OFFERED
from core.domain.states import SessionState
from core.runner.cli_info import cli_info
from tests.core.runner.box import Box, Talker, Watch


async def settle(session: Talker, **agent: str) -> None:
    """As the web does it: the record has changed, then the runner hears of it."""
    session.box.gateway.specs[session.id]["agent"] |= agent
    assert (await session.box.call("POST", session.path + "/settings"))["status"] == 200


async def test_model_changes_between_two_requests_of_one_turn_and_effort_with_the_next_turn(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash(true:*)"], permission_mode="default")
        async with session.watch() as watch:
            await settle(session, model="sonnet", effort="low")  # there is no CLI yet: it will start with them
            await session.say("USE(((AskUserQuestion)))((({\"questions\":[{\"question\":\"Go?\",\"header\":\"Go\","
                              "\"options\":[{\"label\":\"a\",\"description\":\"a\"},{\"label\":\"b\",\"description\":\"b\"}],"
                              "\"multiSelect\":false}]})))")  # fmt: skip
            asked = await watch.until(Asked)
            await settle(session, model="haiku", effort="high")
            await session.answer(asked.request_id, "answer", answers={"Go?": "a"})
            await watch.until(TurnFinished)
            await session.say("N=2")
            await watch.until(TurnFinished)
            await settle(session, model="", effort="")
            await session.say("N=2")
            await watch.until(TurnFinished)
    first, second, next_turn, third = box.model.turns
    assert "sonnet" in first.body["model"] and first.body["output_config"]["effort"] == "low"
    assert "haiku" in second.body["model"]
    assert second.body["output_config"]["effort"] == "low", "the effort of an open turn stays"
    assert next_turn.body["output_config"]["effort"] == "high"
    assert third.body["model"] not in (first.body["model"], second.body["model"])
    assert third.body["output_config"]["effort"] == "medium", "the CLI's own"


async def test_a_stricter_mode_counts_from_the_next_use_of_a_tool_on(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()  # edits inside the folder pass
        async with session.watch() as watch:
            await session.say("WRITE(((a.txt)))(((a)))")
            assert (await watch.until(Decided)).by == "edits"
            await watch.until(TurnFinished)
            await settle(session, permission_mode="default")
            await session.say("WRITE(((b.txt)))(((b)))")
            asked = await watch.until(Asked)
            assert not (session.folder / "b.txt").exists()
            await session.answer(asked.request_id, "deny")
            await watch.until(TurnFinished)
            await settle(session, permission_mode="plan")
            await session.say("WRITE(((c.txt)))(((c)))")
            await session.answer((await watch.until(Asked)).request_id, "deny")
            await watch.until(TurnFinished)
            await settle(session, permission_mode="acceptEdits")
            await session.say("WRITE(((d.txt)))(((d)))")
            await watch.until(lambda event: isinstance(event, Decided) and event.by == "edits")
            await watch.until(TurnFinished)
    assert sorted(path.name for path in session.folder.glob("*.txt")) == ["a.txt", "d.txt"]
    assert "plan mode" in str(box.model.turns[-3].body).lower(), "the model is told that it only plans"


async def listed(session: Talker, watch: Watch) -> dict[str, bool]:
    """Commands that a page offers; True for those of the agent's folder."""
    await session.box.call("POST", session.path + "/warm")
    await watch.until(lambda event: isinstance(event, StateChanged) and event.state is SessionState.IDLE)
    info = await session.box.call("GET", session.path + "/cli")
    assert info["ready"] and {model["value"] for model in info["models"]} >= {"opus", "sonnet", "haiku"}
    return {one["name"]: one.get("own", False) for one in info["commands"]}


async def test_every_command_that_is_offered_works_and_shows_something(tmp_path: Path) -> None:
    """The list is the CLI's own; what needs a terminal, or does nothing that anybody sees, is left out."""
    async with Box(tmp_path) as box:
        session = await box.session()
        command = session.folder / ".claude" / "commands" / "greet.md"
        command.parent.mkdir(parents=True)
        command.write_text("---\ndescription: Greet somebody\nargument-hint: who\n---\nSay hello to $ARGUMENTS")
        assert (await box.call("GET", session.path + "/cli"))["ready"] is False
        async with session.watch() as watch:
            commands = await listed(session, watch)
            assert commands.pop("greet") is True
            assert list(commands) == list(OFFERED) and not any(commands.values())
            for name in ("greet", "simplify", "context", "compact", *sorted(commands.keys() - {"simplify", "compact"})):
                seen = len(watch.seen)
                await session.say(f"/{name} you")
                end = await watch.until(TurnFinished)
                assert end.outcome == "ok", name
                assert shows(watch.seen[seen:]), f"/{name} shows nothing"
                if name == "compact":
                    assert not any(isinstance(event, Text) for event in watch.seen[seen:]), "what is kept is said again"
                    assert 0 < end.context_tokens < end.window_tokens, "the meter knows what is left"
    assert "Say hello to you" in str(box.model.turns[0].prompt)


def shows(events: list[AnyEvent]) -> bool:
    texts = [event.text for event in events if isinstance(event, Text | Notice)]
    refused = [text for text in texts if "isn't available in this environment" in text]
    return not refused and bool(texts or any(isinstance(event, ToolCalled) for event in events))


@pytest.mark.parametrize(
    "said", [{}, {"commands": "x", "models": 3}, {"commands": [None, {"name": 7}], "models": [{}]}]
)
def test_what_a_broken_cli_says_of_itself_offers_nothing(said: dict[str, object]) -> None:
    assert (cli_info(said).commands, cli_info(said).models) == ((), ())
