"""Who did what, when and from where: a log of the acts that somebody may have to answer for. It only grows.

An entry names accounts and things by their ids. Of content it holds what was decided (a rule, hosts, an announcement)
and what was decided about (the whole command, the file and what is written into it), names of secrets, and the address
of somebody who was refused, without what looks like a key. What passed without a question stands in the session's own
log with what let it pass.
"""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import msgspec

from core.domain.audit import AuditAction, AuditEntry, RequestOrigin
from core.domain.records import now
from core.domain.visible_text import visible
from core.observability.logs import escape_line
from core.observability.secret_patterns import mask
from core.store import Store

PAGE = 500  # entries read at once while exporting
WHOLE_CHARS = 200_000  # of what a decision was about; a record in Firestore has at most 1 MiB
READ_CHARS = 4096  # of a text, before it is cut to what its field holds


class Audit:
    """`request_origin` tells where the request that is being answered came from; the use cases need not pass it on."""

    def __init__(self, store: Store, *, request_origin: Callable[[], RequestOrigin] = RequestOrigin) -> None:
        self._store, self._request_origin = store, request_origin

    async def record(
        self, what: AuditAction, *, who: str = "", about: str = "", detail: str = "", target: str = ""
    ) -> None:
        """Write it down, as one line each whatever the texts hold. Raises: StoreUnavailable.

        `target` is what was decided about, whole: the command that was allowed, the file with what is written into it.
        """
        origin = self._request_origin()
        act = AuditEntry(
            at=now(),
            what=what,
            who=_line(who, 64),
            about=_line(about, 320),
            detail=" ".join(filter(None, (_line(detail, 500), _whole(target)))),
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


def _whole(text: str) -> str:
    """One line of all of it; of what is longer than WHOLE_CHARS beginning, end, length and SHA-256."""
    line = escape_line(visible(mask(text)), 12 * len(text) + 1)
    if len(line) <= WHOLE_CHARS:
        return line
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    half = WHOLE_CHARS // 2
    return f"{line[:half]} … {line[-half:]} [{len(text)} characters, sha256 {digest}]"


def _line(text: str, longest: int) -> str:
    """One line without signs that could pose as another, without keys, and no more of it than anybody reads."""
    return escape_line(visible(mask(text[:READ_CHARS])), longest)
