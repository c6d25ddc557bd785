"""The published version that a run works by, whatever the agent's draft has become meanwhile."""

from msgspec.structs import replace

from core.domain.agent_versions import AgentVersion, version_id
from core.domain.records import Agent, Session, UserId
from core.domain.runs import Run
from core.protocol.gateway_api import VersionSpec
from core.store import Store

TOLD = ("name", "description", "model", "effort")  # of the version; what the agent may do is decided by its record


async def version_of_run(store: Store, session: Session, *, owner: UserId) -> AgentVersion | None:
    """Return the version; None: the session works in the agent's folder as it is. Raises: NotFound: it is gone."""
    if not session.run:
        return None
    run = await store.get(Run, session.run, owner=owner)
    if not isinstance(run.version, int) or not run.version:
        return None
    return await store.get(AgentVersion, version_id(session.agent, run.version), owner=owner)


def as_published(agent: Agent, version: AgentVersion | None) -> Agent:
    """Return the agent with what the version says of it."""
    if version is None:
        return agent
    return replace(agent, **{name: getattr(version.definition, name) for name in TOLD})


def version_spec(version: AgentVersion | None) -> VersionSpec | None:
    """Return what the runner is told of it."""
    if version is None:
        return None
    return VersionSpec(number=version.number, commit=version.commit, digest=version.digest)
