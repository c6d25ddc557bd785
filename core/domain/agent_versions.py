"""Published versions of an agent, and the copy of its instructions that can be read while its box sleeps."""

from datetime import datetime

from core.domain.agent_definition import AgentDefinition
from core.domain.records import Record


class AgentVersion(Record, frozen=True, kw_only=True):
    """One version: the definition at that moment, and the name of the files' commit in the user's box.

    `digest` is the SHA-256 over the files; a runner refuses a commit that does not fit it. What widens the agent's
    power (agent_definition.POWER) is here for comparison only: permissions are the agent's, not a version's.
    """

    agent: str
    number: int
    note: str = ""
    commit: str
    digest: str
    files: int = 0
    size_bytes: int = 0
    left_out: tuple[str, ...] = ()
    definition: AgentDefinition
    instructions: str = ""
    created_at: datetime


class AgentInstructions(Record, frozen=True, kw_only=True):
    """The text of CLAUDE.md as it was last seen; the file in the agent's folder is the truth. The id is the agent's."""

    text: str = ""
    etag: str = ""
    cut: bool = False
    seen_at: datetime


def version_id(agent: str, number: int) -> str:
    """The id of a version's record; two who publish at once cannot both make the same number."""
    return f"{agent}.{number}"
