"""Reading and changing the definition of an agent: form, chat and API change one object, and no change is lost."""

from typing import Any

from core.agents.changes import DefinitionChanged
from core.domain.agent_definition import AgentDefinition, checked, definition_of
from core.domain.records import Agent, UserId
from core.services.agents import Agents


class AgentDefinitions:
    """Use cases over `Agents`; the user is checked by being the owner in every call."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def read(self, agent: str, *, user: UserId) -> AgentDefinition:
        """Raises: NotFound."""
        return definition_of(await self._agents.get(agent, user=user))

    async def change(self, agent: str, *, user: UserId, revision: int, **fields: Any) -> AgentDefinition:
        """Set these fields if the definition still has this revision.

        Raises: NotFound. BadInput. DefinitionChanged: it has another; nothing was written.
        """
        values = checked(fields)
        return definition_of(await self._agents.apply(agent, lambda _: values, user=user, revision=revision))

    async def change_since(self, agent: str, seen: AgentDefinition, *, user: UserId, **fields: Any) -> AgentDefinition:
        """Set these fields if each of them still has the value in `seen`; other fields may have changed meanwhile.

        Raises: NotFound. BadInput. DefinitionChanged: one of them has another value; nothing was written.
        """
        values = checked(fields)

        def unless_changed(current: Agent) -> dict[str, Any]:
            if any(getattr(current, name) not in (getattr(seen, name), value) for name, value in values.items()):
                raise DefinitionChanged(definition_of(current))
            return values

        return definition_of(await self._agents.apply(agent, unless_changed, user=user))
