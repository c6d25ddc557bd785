"""Form, chat and API change one definition: whoever comes second is told, and nothing is lost."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.agents.changes import DefinitionChanged, change_agent
from core.domain.agent_definition import AgentDefinition
from core.domain.errors import NotFound
from core.domain.records import Agent, UserId, now
from core.services.agent_definitions import AgentDefinitions
from core.services.agents import Agents
from core.services.audit import Audit
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")
INTERLEAVINGS = 200


class News:
    """Stands where the pool of runners stands: nobody's box runs, and news are counted."""

    def __init__(self) -> None:
        self.told = 0
        self.changes = SimpleNamespace(records=self._records)

    def _records(self, user: UserId) -> None:
        self.told += 1

    def running(self, user: UserId) -> None:
        return None


class Place:
    """Definitions over a Store."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.news = store, News()
        agents = Agents(store=store, runners=cast(Any, self.news), forget=lambda _: None, audit=Audit(store))
        self.definitions = AgentDefinitions(agents)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        await store.put(Agent(id="a1", name="x", created_at=now(), updated_at=now()), owner=ALICE)
        yield Place(store)


async def test_a_change_over_a_newer_revision_writes_nothing_and_shows_what_is_there(place: Place) -> None:
    definitions = place.definitions
    first = await definitions.change("a1", user=ALICE, revision=0, model="claude-opus-5-5")
    assert (first.revision, first.model) == (1, "claude-opus-5-5")
    with pytest.raises(DefinitionChanged) as refused:
        await definitions.change("a1", user=ALICE, revision=0, name="Digest")
    assert refused.value.current == first
    assert await definitions.read("a1", user=ALICE) == first
    assert place.news.told == 1


async def test_the_same_value_again_is_no_change(place: Place) -> None:
    assert (await place.definitions.change("a1", user=ALICE, revision=0, name="x")).revision == 0
    assert place.news.told == 0


async def test_two_sections_can_be_changed_at_once_and_the_same_section_cannot(place: Place) -> None:
    seen = await place.definitions.read("a1", user=ALICE)
    await place.definitions.change_since("a1", seen, user=ALICE, description="Reads issues")
    both = await place.definitions.change_since("a1", seen, user=ALICE, egress=["api.example.com"])
    assert (both.description, both.egress, both.revision) == ("Reads issues", ("api.example.com",), 2)
    with pytest.raises(DefinitionChanged):
        await place.definitions.change_since("a1", seen, user=ALICE, description="Writes issues")
    await place.definitions.change_since("a1", seen, user=ALICE, description="Reads issues")  # what is there already


async def test_nobody_changes_the_agent_of_another_user(place: Place) -> None:
    for call in (
        place.definitions.change("a1", user=BOB, revision=0, name="mine"),
        place.definitions.change_since("a1", AgentDefinition(), user=BOB, name="mine"),
        place.definitions.read("a1", user=BOB),
    ):
        with pytest.raises(NotFound):
            await call


async def test_both_sides_edit_one_section_and_no_word_of_either_is_lost(place: Place) -> None:
    """Two editors append words to one text. Who is told of a conflict takes the other's text and appends again."""
    dice = random.Random(14)  # to be repeated
    for _ in range(INTERLEAVINGS):
        await change_agent(place.store, "a1", lambda _: {"description": "start"}, owner=ALICE)
        await asyncio.gather(_editor(place, "form", dice), _editor(place, "chat", dice))
        words = (await place.definitions.read("a1", user=ALICE)).description.split()
        assert sorted(words) == sorted(["start", "form0", "form1", "chat0", "chat1"])


async def _editor(place: Place, name: str, dice: random.Random) -> None:
    seen = await place.definitions.read("a1", user=ALICE)
    for n in range(2):
        while True:
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            try:
                wanted = f"{seen.description} {name}{n}"
                seen = await place.definitions.change_since("a1", seen, user=ALICE, description=wanted)
                break
            except DefinitionChanged as conflict:
                seen = conflict.current


async def test_rules_of_two_answers_at_once_are_both_kept(place: Place) -> None:
    async def add(rule: str) -> None:
        await change_agent(place.store, "a1", lambda agent: {"rules": (*agent.rules, rule)}, owner=ALICE)

    rules = [f"Bash(echo {n}:*)" for n in range(10)]
    await asyncio.gather(*map(add, rules))
    found = await place.definitions.read("a1", user=ALICE)
    assert (sorted(found.rules), found.revision) == (sorted(rules), 10)
