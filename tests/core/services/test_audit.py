"""Tests of the audit log: no entry can pose as another one, and the export is complete."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from core.domain.audit import AuditAction, AuditEntry, RequestOrigin
from core.services.audit import PAGE, Audit
from core.store.sqlite import SqliteStore
from tests.canary import KEY

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


async def test_an_entry_says_who_what_when_and_from_where(store: SqliteStore) -> None:
    audit = Audit(store, request_origin=lambda: RequestOrigin(address="192.0.2.7", device="Firefox"))
    await audit.record(AuditAction.AGENT_DELETED, who="google-1", about="a1")
    [act] = await audit.newest(limit=10)
    assert (act.what, act.who, act.about, act.address, act.device) == (
        "agent_deleted", "google-1", "a1", "192.0.2.7", "Firefox",
    )  # fmt: skip
    assert act.at.tzinfo is not None


EVIL = ['x\n{"what":"sign_in"}', "\x1b[2Jx", "\u202egnp.exe", "\u2028x", "\x00", "y" * 10_000_000]


@pytest.mark.parametrize("evil", EVIL, ids=["line", "escape", "rtl", "separator", "nul", "long"])
async def test_what_strangers_send_stays_one_short_line(store: SqliteStore, evil: str) -> None:
    audit = Audit(store, request_origin=lambda: RequestOrigin(address=evil, device=evil))
    await audit.record(AuditAction.SIGN_IN_REFUSED, who=evil, about=evil, detail=evil)
    whole = b"".join([piece async for piece in audit.lines()])
    assert whole.count(b"\n") == 1
    assert len(whole) < 4096
    text = whole.decode().removesuffix("\n")
    assert text.isprintable()
    assert msgspec.json.decode(text, type=AuditEntry).what == "sign_in_refused"


async def test_the_export_has_every_entry_once(store: SqliteStore) -> None:
    audit = Audit(store)
    for _ in range(PAGE + 10):
        await audit.record(AuditAction.SIGN_IN, who="google-1")
    lines = b"".join([piece async for piece in audit.lines()]).splitlines()
    numbers = [msgspec.json.decode(line, type=AuditEntry).seq for line in lines]
    assert numbers == list(range(PAGE + 10, 0, -1))


async def test_a_key_in_a_rule_is_not_kept(store: SqliteStore) -> None:
    audit = Audit(store)
    await audit.record(AuditAction.RULE_ADDED, who="google-1", about="a1", detail=f"Bash(curl -H 'x-api-key: {KEY}')")
    [act] = await audit.newest(limit=10)
    assert act.detail.startswith("Bash(curl -H 'x-api-key: ***")
    assert KEY[:20] not in act.detail


@pytest.mark.parametrize("deed", AuditAction)
def test_every_deed_is_noted_somewhere(deed: AuditAction) -> None:
    sources = [path.read_text() for folder in ("core", "auth", "ui", "web") for path in (ROOT / folder).rglob("*.py")]
    assert any(f"AuditAction.{deed.name}" in source for source in sources)
