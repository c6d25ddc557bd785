"""Who did what, when and from where: a log of the acts that somebody may have to answer for. It only grows.

An entry names accounts and things by their ids. Of content it holds what was decided (a rule, hosts, an announcement),
names of secrets, and the address of somebody who was refused, without what looks like a key. What an agent was allowed
once or denied stands in its session's own log; here stands what goes on counting: rules, roles, sign-ins, deletions.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from core.logs import escaped
from core.model import now
from core.secret_shapes import mask

if TYPE_CHECKING:
    from core.store import Store

PAGE = 500  # entries read at once while exporting
READ_CHARS = 4096  # of a text, before it is cut to what its field holds


class Deed(StrEnum):
    """What can have been done."""

    SIGN_IN = "sign_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_OUT = "sign_out"
    LOGIN_REVOKED = "login_revoked"
    ROLE_CHANGED = "role_changed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    AGENT_CREATED = "agent_created"
    AGENT_PUBLISHED = "agent_published"
    AGENT_DELETED = "agent_deleted"
    SECRET_ADDED = "secret_added"  # noqa: S105  # what was done
    SECRET_REPLACED = "secret_replaced"  # noqa: S105  # what was done
    SECRET_DELETED = "secret_deleted"  # noqa: S105  # what was done
    SECRET_ASSIGNED = "secret_assigned"  # noqa: S105  # what was done
    SECRET_WITHDRAWN = "secret_withdrawn"  # noqa: S105  # what was done
    EGRESS_CHANGED = "egress_changed"
    MODE_CHANGED = "mode_changed"
    REQUEST_ANSWERED = "request_answered"
    RULE_ADDED = "rule_added"
    RULE_REMOVED = "rule_removed"
    EXPORTED = "exported"
    AUDIT_EXPORTED = "audit_exported"
    ACCOUNT_DELETED = "account_deleted"
    ANNOUNCED = "announced"


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `who` did it (empty: a stranger), `about` is the id of what or whom it was done to."""

    seq: int = 0
    at: datetime
    what: str
    who: str = ""
    about: str = ""
    detail: str = ""
    address: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from: the caller's address and what their browser calls itself."""

    address: str = ""
    device: str = ""


class Audit:
    """`whence` tells where the request that is being answered came from; the use cases need not pass it on."""

    def __init__(self, store: "Store", *, whence: Callable[[], Origin] = Origin) -> None:
        self._store, self._whence = store, whence

    async def note(self, what: Deed, *, who: str = "", about: str = "", detail: str = "") -> None:
        """Write it down, as one line each whatever the texts hold. Raises: StoreUnavailable."""
        origin = self._whence()
        act = Act(
            at=now(),
            what=what,
            who=_line(who, 64),
            about=_line(about, 320),
            detail=_line(detail, 500),
            address=_line(origin.address, 64),
            device=_line(origin.device, 200),
        )
        await self._store.note(act)

    async def newest(self, *, limit: int) -> list[Act]:
        """Newest first."""
        return await self._store.acts(limit=limit)

    async def lines(self) -> AsyncIterator[bytes]:
        """The whole log as JSON lines, newest first."""
        before = 0
        while acts := await self._store.acts(before=before, limit=PAGE):
            yield b"".join(msgspec.json.encode(act) + b"\n" for act in acts)
            before = acts[-1].seq


def _line(text: str, longest: int) -> str:
    """One line without signs that could pose as another, without keys, and no more of it than anybody reads."""
    return escaped(mask(text[:READ_CHARS]), longest)
