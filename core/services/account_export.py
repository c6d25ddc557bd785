"""The export of a user's data: a ZIP archive that is built while it is sent. Nothing of it is stored here.

profile.json                the user, devices, agents, sessions, names of secrets, connections, usage
sessions/<id>.jsonl         each conversation, one event per line
agents/<id>/…               each agent's folder, read by the user's own runner
"""

import asyncio
import time
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Protocol

import msgspec

from core.domain.agent_tests import AgentTestRun
from core.domain.agent_versions import AgentVersion
from core.domain.errors import RunnerUnavailable, TooMuch
from core.domain.events import encode, seq_of
from core.domain.notifications import Channel, Delivery, Notification
from core.domain.records import SYSTEM, Agent, Connection, Login, Request, SecretRecord, Session, User, UserId
from core.domain.runs import Alert, Run
from core.domain.schedules import Trigger
from core.domain.visible_text import escape_in_json
from core.fleet.runner_pool import RunnerPool
from core.lib.write_sink import WriteSink
from core.store import Store

MANY = 100_000  # records of one kind
EVENTS = 1000  # read at once
PIECE_BYTES = 256 * 1024  # sent at once
LINE_BYTES = 8192
LARGEST_PIECE = 1024 * 1024
PATH_CHARS = 1000


class Stream(Protocol):
    """The part of the runner's answer that is read here."""

    async def readline(self) -> bytes:
        """Return a line with its end."""

    async def readexactly(self, n: int) -> bytes:
        """Return exactly `n` bytes. Raises: asyncio.IncompleteReadError."""


class Export:
    """Makes archives, one at a time for each user. The web process has one Export."""

    def __init__(self, *, store: Store, runners: RunnerPool) -> None:
        self._store, self._runners = store, runners
        self._busy: set[UserId] = set()

    async def of(self, user: UserId) -> AsyncGenerator[bytes, None]:
        """Yield the archive in pieces. If a part cannot be read, it ends without its directory, so it does not open.

        Raises: TooMuch: an export of this user is under way. RunnerUnavailable: the folders cannot be read.
        """
        if user in self._busy:
            raise TooMuch("an export is under way", code="export_under_way")
        self._busy.add(user)
        try:
            runner = await self._runners.get_or_start(user)
            async with runner.export() as folders:
                out = WriteSink()
                with zipfile.ZipFile(out, "w") as archive:
                    async with aclosing(self._entries(archive, user, folders)) as entries:
                        async for _ in entries:
                            if out.size >= PIECE_BYTES:
                                yield out.take()
                yield out.take()
        finally:
            self._busy.discard(user)

    async def _entries(self, archive: zipfile.ZipFile, user: UserId, folders: Stream) -> AsyncGenerator[None, None]:
        """Write the entries into `archive`. After each piece the caller can send what has been written."""
        archive.writestr(_entry("profile.json"), await self._profile(user))
        for session in await self._store.find(Session, owner=user, limit=MANY):
            with archive.open(_entry(f"sessions/{session.id}.jsonl"), "w", force_zip64=True) as entry:
                after = 0
                while events := await self._store.events(session.id, owner=user, after=after, limit=EVENTS):
                    lines = b"".join(escape_in_json(encode(event).decode()).encode() + b"\n" for event in events)
                    await asyncio.to_thread(
                        entry.write, lines
                    )  # compression takes longer than the event loop may be blocked
                    after = seq_of(events[-1])
                    yield
        async with aclosing(_folders(archive, folders)) as pieces:
            async for _ in pieces:
                yield

    async def _profile(self, user: UserId) -> bytes:
        store = self._store
        logins = await store.find(Login, owner=SYSTEM, where={"user": user}, limit=MANY)
        whole = {
            "user": await store.get(User, user, owner=SYSTEM),
            "devices": [{"device": one.device, "address": one.address, "seen_at": one.seen_at} for one in logins],
            "agents": await store.find(Agent, owner=user, limit=MANY),
            "versions": await store.find(AgentVersion, owner=user, limit=MANY),
            "sessions": await store.find(Session, owner=user, limit=MANY),
            "secrets": await store.find(SecretRecord, owner=user, limit=MANY),
            "schedules": await store.find(Trigger, owner=user, limit=MANY),
            "runs": await store.find(Run, owner=user, limit=MANY),
            "test_runs": await store.find(AgentTestRun, owner=user, limit=MANY),
            "alerts": await store.find(Alert, owner=user, limit=MANY),
            "channels": await store.find(Channel, owner=user, limit=MANY),
            "notifications": await store.find(Notification, owner=user, limit=MANY),
            "deliveries": await store.find(Delivery, owner=user, limit=MANY),
            "requests": await store.find(Request, owner=user, limit=MANY),
            "connections": await store.find(Connection, owner=user, limit=MANY),
            "usage": {
                key: {name: amount for name, amount in row.items() if not name.startswith("seq_")}
                for key, row in (await store.all_usage(owner=user)).items()
            },
        }
        return escape_in_json(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()).encode()


async def _folders(archive: zipfile.ZipFile, stream: Stream) -> AsyncGenerator[None, None]:
    """Write the folders that core.runner.export sends. Raises: RunnerUnavailable: the stream is damaged or
    too short.
    """
    while True:
        try:
            head = msgspec.json.decode(await _line(stream), type=dict[str, str | int])
        except msgspec.DecodeError as error:
            raise RunnerUnavailable("the runner's export is damaged") from error
        if not head:
            return
        name = _inside(str(head.get("path", "")))
        with archive.open(_entry(f"agents/{name}", head.get("mtime", 0)), "w", force_zip64=True) as entry:
            while size := _number(await _line(stream)):
                await asyncio.to_thread(entry.write, await stream.readexactly(size))
                yield
        yield


async def _line(stream: Stream) -> bytes:
    line = await stream.readline()
    if not line.endswith(b"\n") or len(line) > LINE_BYTES:
        raise RunnerUnavailable("the runner's export broke off")
    return line[:-1]


def _number(line: bytes) -> int:
    if not line.isdigit() or len(line) > 8 or int(line) > LARGEST_PIECE:
        raise RunnerUnavailable("the runner's export is damaged")
    return int(line)


def _inside(path: str) -> str:
    """Return a path that cannot lead out of the folder when it is unpacked, on any system."""
    clean = "".join(sign if sign.isprintable() and sign not in '\\:*?"<>|' else "_" for sign in path[:PATH_CHARS])
    parts = [part for part in PurePosixPath(clean).parts if part not in ("/", ".", "..")]
    return "/".join(parts) or "_"


def _entry(name: str, mtime: object = None) -> zipfile.ZipInfo:
    """Return an archive entry. ZIP can store the years 1980 to 2107; other times are clamped."""
    seconds = mtime if isinstance(mtime, int) else int(time.time())
    at = datetime.fromtimestamp(min(max(seconds, 315_619_200), 4_354_732_800), UTC)
    info = zipfile.ZipInfo(name, at.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info
