"""The one way in which an agent's definition changes: compare-and-set on its revision, so that no change is lost."""

from collections.abc import Callable, Mapping
from typing import Any

from core.domain.agent_definition import FIELDS, AgentDefinition, definition_of
from core.domain.errors import Conflict
from core.domain.records import Agent, UserId, now
from core.store import Store

TRIES = 50  # of a change that names no revision, while others change the same agent

Change = Callable[[Agent], Mapping[str, Any]]


class DefinitionChanged(Conflict):
    """The definition has another revision than the caller knows. `current` is what it is now."""

    code = "definition_changed"

    def __init__(self, current: AgentDefinition) -> None:
        super().__init__(f"the definition has revision {current.revision} now")
        self.current = current


async def change_agent(
    store: Store, agent: str, change: Change, *, owner: UserId, revision: int | None = None
) -> tuple[Agent, Agent]:
    """Set what `change` returns for the record as it is, and return the record before and after.

    The revision rises by one if the definition changes. Fields that have their value already are no change.
    Raises: NotFound. DefinitionChanged: it does not have the given `revision`. Conflict: others change it all the time.
    """
    for _ in range(TRIES):
        before = await store.get(Agent, agent, owner=owner)
        if revision not in (None, before.revision):
            raise DefinitionChanged(definition_of(before))
        fields = {name: value for name, value in change(before).items() if getattr(before, name) != value}
        if not fields:
            return before, before
        counted = before.revision + any(name in FIELDS for name in fields)
        try:
            after = await store.change(
                Agent,
                agent,
                owner=owner,
                expect={"revision": before.revision},
                revision=counted,
                updated_at=now(),
                **fields,
            )
        except Conflict:
            continue  # somebody was faster: the next look tells what they did
        return before, after
    raise Conflict(f"agent {agent} is changed by others all the time")
