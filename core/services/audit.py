"""Who did what, when and from where: a log of the acts that somebody may have to answer for. It only grows.

An entry names accounts and things by their ids. Of content it holds what was decided (a rule, hosts, an announcement),
names of secrets, and the address of somebody who was refused, without what looks like a key. What an agent was allowed
once or denied stands in its session's own log; here stands what goes on counting: rules, roles, sign-ins, deletions.
"""

from collections.abc import AsyncIterator, Callable

import msgspec

from core.domain.audit import AuditAction, AuditEntry, RequestOrigin
from core.domain.records import now
from core.observability.logs import escaped
from core.observability.secret_patterns import mask
from core.store import Store

PAGE = 500  # entries read at once while exporting
READ_CHARS = 4096  # of a text, before it is cut to what its field holds


class Audit:
    """`whence` tells where the request that is being answered came from; the use cases need not pass it on."""

    def __init__(self, store: Store, *, whence: Callable[[], RequestOrigin] = RequestOrigin) -> None:
        self._store, self._whence = store, whence

    async def record(self, what: AuditAction, *, who: str = "", about: str = "", detail: str = "") -> None:
        """Write it down, as one line each whatever the texts hold. Raises: StoreUnavailable."""
        origin = self._whence()
        act = AuditEntry(
            at=now(),
            what=what,
            who=_line(who, 64),
            about=_line(about, 320),
            detail=_line(detail, 500),
            address=_line(origin.address, 64),
            device=_line(origin.device, 200),
        )
        await self._store.add_audit_entry(act)

    async def newest(self, *, limit: int) -> list[AuditEntry]:
        """Newest first."""
        return await self._store.audit_entries(limit=limit)

    async def lines(self) -> AsyncIterator[bytes]:
        """The whole log as JSON lines, newest first."""
        before = 0
        while acts := await self._store.audit_entries(before=before, limit=PAGE):
            yield b"".join(msgspec.json.encode(act) + b"\n" for act in acts)
            before = acts[-1].seq


def _line(text: str, longest: int) -> str:
    """One line without signs that could pose as another, without keys, and no more of it than anybody reads."""
    return escaped(mask(text[:READ_CHARS]), longest)
