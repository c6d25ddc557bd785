"""A network that fails at the worst moment: what was acknowledged is there once, what was refused not at all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from core.domain.audit import AuditEntry
from core.domain.errors import Conflict, StoreUnavailable
from core.domain.events import AnyEvent, Text, numbered
from core.domain.records import SYSTEM, Login, Session, UserId
from core.store.firestore import FirestoreStore
from tests.firestore_emulator import Emulator
from tests.firestore_faults import Faults

ALICE = UserId("google-1")
DAY = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
async def faults(project: str, firestore_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Faults]:
    async with Faults(firestore_emulator.host) as faults:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", faults.host)
        yield faults


@pytest.fixture
async def store(project: str, faults: Faults) -> AsyncIterator[FirestoreStore]:
    async with await FirestoreStore.open(project, emulator=True) as store:
        yield store


def wrote(seq: int) -> AnyEvent:
    return numbered(Text(message="m", block=0, text=f"안녕 {seq}"), seq=seq, at=DAY)


def login(id: str = "l1", *, device: str = "") -> Login:
    return Login(id=id, user=ALICE, created_at=DAY, seen_at=DAY, expires_at=DAY, device=device)


@pytest.mark.parametrize("fault", ["unavailable", "aborted", "lost"])
async def test_events_are_there_once_whatever_happens_to_their_commit(
    store: FirestoreStore, faults: Faults, fault: str
) -> None:
    await store.append("s1", [wrote(1)], owner=ALICE)
    faults.next = [fault, fault]
    assert await store.append("s1", [wrote(2), wrote(3)], owner=ALICE) == 3
    assert faults.commits >= 3 - (fault == "lost"), "the faults were met"
    assert await store.events("s1", owner=ALICE) == [wrote(1), wrote(2), wrote(3)]


async def test_five_refusals_for_contention_are_waited_out(store: FirestoreStore, faults: Faults) -> None:
    faults.next = ["aborted"] * 5
    await store.add_usage("2026-11", owner=ALICE, turns=1)
    assert (await store.usage("2026-11", owner=ALICE), faults.commits) == ({"turns": 1}, 6)


@pytest.mark.parametrize(("fault", "counted"), [("lost", {"turns": 1}), ("unavailable", {})])
async def test_an_addition_whose_fate_is_unknown_is_never_repeated_by_the_store(
    store: FirestoreStore, faults: Faults, fault: str, counted: dict[str, float]
) -> None:
    faults.next = [fault]
    with pytest.raises(StoreUnavailable):
        await store.add_usage("2026-11", owner=ALICE, turns=1)
    assert (await store.usage("2026-11", owner=ALICE), faults.commits) == (counted, 1)


@pytest.mark.parametrize("fault", ["lost", "unavailable", "aborted"])
async def test_a_record_whose_making_was_not_answered_is_made_and_no_conflict(
    store: FirestoreStore, faults: Faults, fault: str
) -> None:
    faults.next = [fault]
    await store.create(login(), owner=SYSTEM)
    assert await store.get(Login, "l1", owner=SYSTEM) == login()
    faults.next = [fault]
    with pytest.raises(Conflict):
        await store.create(login(device="another"), owner=SYSTEM)


@pytest.mark.parametrize("fault", ["lost", "unavailable", "aborted"])
async def test_a_claim_and_its_renewal_survive_a_lost_answer(store: FirestoreStore, faults: Faults, fault: str) -> None:
    for _ in range(2):
        faults.next = [fault]
        try:
            assert await store.claim("slot", holder="a", lease_s=30)
        except StoreUnavailable:
            assert await store.claim("slot", holder="a", lease_s=30)
    assert not await store.claim("slot", holder="b", lease_s=30)


@pytest.mark.parametrize("fault", ["lost", "unavailable", "aborted"])
async def test_changes_deletions_and_notes_are_repeated_as_they_may_be(
    store: FirestoreStore, faults: Faults, fault: str
) -> None:
    await store.put(Session(id="s", agent="a", created_at=DAY, updated_at=DAY), owner=ALICE)
    faults.next = [fault]
    assert (await store.change(Session, "s", owner=ALICE, title="새 제목")).title == "새 제목"
    faults.next = [fault]
    await store.delete(Session, "s", owner=ALICE)
    assert await store.find(Session, owner=ALICE) == []
    await store.add_audit_entry(AuditEntry(at=DAY, what="first"))
    assert [act.what for act in await store.audit_entries()] == ["first"]


async def test_a_store_that_hangs_is_given_up_and_works_again_afterwards(
    store: FirestoreStore, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put(login(), owner=SYSTEM)
    faults.next = ["slow"]
    with monkeypatch.context() as patch:
        patch.setattr("core.store.firestore_rpc.WAIT_S", 0.5)
        with pytest.raises(StoreUnavailable):
            await store.put(login(device="x"), owner=SYSTEM)
    await store.put(login(device="y"), owner=SYSTEM)
    assert (await store.get(Login, "l1", owner=SYSTEM)).device == "y"
