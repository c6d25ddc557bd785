"""The audit log: who did what, when and from where. It only grows.

An entry names accounts and things by their ids. Of content it holds the decision (a rule, hosts, an announcement), the
subject of the decision (the whole command, the file and its new content), names of secrets, and the e-mail address of a
person who was refused. Text that looks like a key is masked. The subject of a decision is a record of the user's: a
deleted account takes it along, and the entry says so. Tool calls that passed without a question are in the
session's own log, with the rule or policy that allowed them.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import msgspec

from core.domain.audit import AuditAction, AuditEntry, RequestOrigin
from core.domain.errors import NotFound
from core.domain.records import AuditSubject, UserId, now
from core.domain.visible_text import visible
from core.observability.logs import escape_line
from core.observability.secret_patterns import mask
from core.store import Store

DELETED = "[deleted with the account]"
PAGE = 500  # entries read at once while exporting
WHOLE_CHARS = 200_000  # of the subject of a decision; a record in Firestore has at most 1 MiB
READ_CHARS = 4096  # of a text, before it is cut to what its field holds


class Audit:
    """Writes and reads the audit log. `request_origin` returns the origin of the request that is being handled, so that
    the use cases need not pass it on.
    """

    def __init__(self, store: Store, *, request_origin: Callable[[], RequestOrigin] = RequestOrigin) -> None:
        self._store, self._request_origin = store, request_origin

    async def record(
        self, what: AuditAction, *, who: str = "", about: str = "", detail: str = "", target: str = ""
    ) -> None:
        """Append an entry whose texts are one line each, whatever they contain. Raises: StoreUnavailable.

        `target` is the whole subject of a decision: the command that was allowed, or the file with its new content.
        """
        origin, subject = self._request_origin(), secrets.token_hex(8) if target else ""
        if target:
            await self._store.put(AuditSubject(id=subject, text=_whole(target)), owner=UserId(who))
        act = AuditEntry(
            at=now(),
            what=what,
            who=_line(who, 64),
            about=_line(about, 320),
            detail=_line(detail, 500),
            subject=subject,
            address=_line(origin.address, 64),
            device=_line(origin.device, 200),
        )
        await self._store.add_audit_entry(act)

    async def newest(self, *, limit: int) -> list[AuditEntry]:
        """Return the newest `limit` entries, newest first."""
        return [await self._told(act) for act in await self._store.audit_entries(limit=limit)]

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the whole log as JSON lines, newest first."""
        before = 0
        while acts := await self._store.audit_entries(before=before, limit=PAGE):
            yield b"".join([msgspec.json.encode(await self._told(act)) + b"\n" for act in acts])
            before = acts[-1].seq

    async def _told(self, act: AuditEntry) -> AuditEntry:
        """Return the entry with the text of its subject in the detail."""
        if not act.subject:
            return act
        try:
            text = (await self._store.get(AuditSubject, act.subject, owner=UserId(act.who))).text
        except NotFound:
            text = DELETED
        return msgspec.structs.replace(act, detail=f"{act.detail} {text}".strip())


def _whole(text: str) -> str:
    """Return the whole text as one line; a text longer than WHOLE_CHARS is shortened to its beginning and end, with its
    length and SHA-256.
    """
    line = escape_line(visible(mask(text)), 12 * len(text) + 1)
    if len(line) <= WHOLE_CHARS:
        return line
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    half = WHOLE_CHARS // 2
    return f"{line[:half]} … {line[-half:]} [{len(text)} characters, sha256 {digest}]"


def _line(text: str, longest: int) -> str:
    """Return the text as one line of at most `longest` characters, with invisible characters shown and keys masked."""
    return escape_line(visible(mask(text[:READ_CHARS])), longest)
