"""The state of one agent as its page shows it: the definition, the instructions and the versions, read together."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.domain.agent_definition import AgentDefinition, changed_fields, definition_of
from core.domain.agent_tests import AgentTestRun
from core.domain.agent_versions import AgentInstructions, AgentVersion
from core.domain.agent_wishes import Wish
from core.domain.records import Agent
from core.domain.schedules import Trigger
from ui.layout.page_frame import PageFrame

# The sections in their order, with the fields of the definition that each of them shows.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "wishes": (),
    "about": ("name", "description", "icon"),
    "instructions": (),
    "permissions": ("permission_mode", "rules", "unattended"),
    "model": ("model", "effort", "limits"),
    "inputs": ("inputs",),
    "secrets": ("secrets",),
    "hosts": ("egress",),
    "schedule": (),
    "tests": ("tests",),
    "versions": (),
}

TEST_RUNS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """`versions` are newest first; `published` is the one that runs use, None while there is none."""

    agent: Agent
    definition: AgentDefinition
    instructions: AgentInstructions
    versions: tuple[AgentVersion, ...]
    triggers: tuple[Trigger, ...]
    secret_names: tuple[str, ...]
    wishes: tuple[Wish, ...] = ()
    tests: tuple[AgentTestRun, ...] = ()  # test runs, newest first

    @property
    def red(self) -> tuple[str, ...]:
        """The titles of the cases that failed in the newest test run that has ended."""
        ended = next((run for run in self.tests if run.finished_at), None)
        failed = (one.case for one in ended.results if one.state == "failed") if ended else ()
        return tuple(case.title or case.name for case in failed)

    @property
    def published(self) -> AgentVersion | None:
        return next((one for one in self.versions if one.number == self.agent.published), None)

    @property
    def changed(self) -> frozenset[str]:
        """The sections in which the draft differs from the published version."""
        if (published := self.published) is None:
            return frozenset()
        fields = changed_fields(published.definition, self.definition)
        found = {name for name, shown in FIELDS.items() if set(shown) & set(fields)}
        if published.instructions != self.instructions.text and self.instructions.etag:
            found.add("instructions")
        return frozenset(found)

    def value(self, section: str) -> object:
        """The values that a section shows: it is drawn again when they change."""
        values = tuple(getattr(self.definition, name) for name in FIELDS[section])
        match section:
            case "instructions":
                return self.instructions.text, self.instructions.cut
            case "schedule":
                return self.triggers
            case "tests":
                return (*values, self.tests)
            case "versions":
                return self.versions, self.agent.published, self.changed
            case "wishes":
                return self.wishes
            case "secrets":
                return (*values, self.secret_names)
        return values


async def read_view(page: PageFrame, agent: str) -> AgentView:
    """Raises: NotFound: the agent is gone. VaultUnavailable, StoreUnavailable."""
    services, user = page.services, page.user_id
    found, instructions, versions, triggers, secrets, tests = await asyncio.gather(
        services.agents.get(agent, user=user),
        services.versions.instructions(agent, user=user),
        services.versions.all(agent, user=user),
        services.schedules.of_agent(agent, user=user),
        services.secrets.all(user=user),
        services.tests.newest(agent, user=user, limit=TEST_RUNS),
    )
    return AgentView(
        agent=found,
        definition=definition_of(found),
        instructions=instructions,
        versions=tuple(versions),
        triggers=tuple(triggers),
        wishes=await services.transfer.wishes(agent, user=user),
        secret_names=tuple(secret.name for secret in secrets),
        tests=tuple(tests),
    )
