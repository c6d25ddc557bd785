"""Tests of faults that only Firestore can have: its limits, names, keys, and contention."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from core.config.settings import Settings
from core.domain.audit import AuditEntry
from core.domain.errors import BadInput, Misconfigured, StoreUnavailable
from core.domain.events import AnyEvent, Text, ToolReturned, numbered
from core.domain.records import SYSTEM, Agent, Box, Request, Session, UserId, now
from core.store.factory import open_store
from core.store.firestore import FirestoreStore
from core.store.firestore_log import commits_of
from core.store.firestore_rpc import FirestoreConnection
from core.store.firestore_values import id_of, name_of

ALICE = UserId("google-1")
DAY = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
MIB = 2**20


@pytest.fixture
async def store(project: str) -> AsyncIterator[FirestoreStore]:
    async with await FirestoreStore.open(project, emulator=True) as store:
        yield store


def wrote(seq: int, text: str) -> AnyEvent:
    return numbered(Text(message="m", block=0, text=text), seq=seq, at=DAY)


class TestLargeEvents:
    async def test_an_event_larger_than_a_document_is_kept_byte_for_byte_among_small_ones(
        self, store: FirestoreStore
    ) -> None:
        events = [
            wrote(1, "작은 것"),
            wrote(2, "각" * MIB),
            wrote(3, "x"),
            wrote(4, "\x00\u2028" * 200_000),
            wrote(5, "끝"),
        ]
        assert await store.append("s1", events, owner=ALICE) == 5
        assert await store.events("s1", owner=ALICE) == events
        assert await store.append("s1", events, owner=ALICE) == 5
        for after in range(5):
            assert await store.events("s1", owner=ALICE, after=after, limit=1) == [events[after]]
        for limit in range(1, 6):
            assert await store.last_events("s1", owner=ALICE, limit=limit) == events[-limit:]

    async def test_the_largest_batch_that_a_runner_may_send_is_one_append(self, store: FirestoreStore) -> None:
        events = [
            numbered(ToolReturned(id=f"t{n}", ok=True, content="y" * 16_500), seq=n, at=DAY) for n in range(1, 501)
        ]
        assert await store.append("s1", events, owner=ALICE) == 500
        assert await store.last_events("s1", owner=ALICE, limit=500) == events

    async def test_an_event_larger_than_a_commit_is_refused_and_nothing_is_written(self, store: FirestoreStore) -> None:
        with pytest.raises(BadInput):
            await store.append("s1", [wrote(1, "x"), wrote(2, "z" * 10 * MIB)], owner=ALICE)
        assert await store.events("s1", owner=ALICE) == []

    @pytest.mark.parametrize("sizes", [[8 * MIB], [16_000] * 500, [4 * MIB, 10, 4 * MIB], [1] * 500, [899_999] * 9])
    def test_no_limit_of_firestore_is_passed_by_any_batch_of_a_runner(self, sizes: list[int]) -> None:
        lines = [(n, b"x" * size) for n, size in enumerate(sizes, 1)]
        commits = commits_of(lines)
        names = [name for commit in commits for name, _ in commit]
        assert names == sorted(set(names))
        for commit in commits:
            assert len(commit) <= 500
            assert sum(len(document["body"]) for _, document in commit) < 10 * MIB - 100_000
            assert all(len(document["body"]) < MIB - 10_000 for _, document in commit)
        whole = b"".join(document["body"] for commit in commits for _, document in commit)
        assert whole.replace(b"][", b",") == b"[" + b",".join(text for _, text in lines) + b"]"

    async def test_a_record_larger_than_a_document_is_refused(self, store: FirestoreStore) -> None:
        record = Request(id="r", agent="a", session="s", kind="plan", summary="x" * 2 * MIB, asked_at=DAY)
        with pytest.raises(BadInput):
            await store.put(record, owner=ALICE)

    async def test_a_log_of_many_chunks_is_read_whole_and_forgotten_whole(self, store: FirestoreStore) -> None:
        events = [wrote(n, f"line {n}") for n in range(1, 131)]
        for event in events:
            await store.append("s1", [event], owner=ALICE)
        assert await store.events("s1", owner=ALICE, after=7) == events[7:]
        assert await store.last_events("s1", owner=ALICE, limit=120) == events[-120:]
        await store.delete_events("s1", owner=ALICE)
        assert await store.events("s1", owner=ALICE) == []


class TestNames:
    @pytest.mark.parametrize("id", ["a/b", ".", "..", "__x__", "100%", "%2F", "한글/각", "__", "a b\x00c", ".hidden"])
    async def test_any_id_is_a_name_and_comes_back(self, store: FirestoreStore, id: str) -> None:
        assert id_of(name_of(id)) == id
        agent = Agent(id=id, name="n", created_at=DAY, updated_at=DAY)
        await store.create(agent, owner=ALICE)
        assert await store.find(Agent, owner=ALICE) == [agent]
        assert await store.claim(id, holder="me", lease_s=1)
        await store.add_usage(id, owner=UserId(id), **{"seq_0-1.x/`": 1.5})
        assert await store.all_usage(owner=UserId(id)) == {id: {"seq_0-1.x/`": 1.5}}

    def test_two_ids_never_have_one_name(self) -> None:
        odd = ["", "%", "/", "%2F", ".", "%2E", "..", "__a__", "%5F_a__", "a", "%61"]
        assert len({name_of(id) for id in odd}) == len(odd)

    async def test_an_id_that_is_too_long_is_refused(self, store: FirestoreStore) -> None:
        with pytest.raises(BadInput):
            await store.put(Agent(id="x" * 2000, created_at=DAY, updated_at=DAY), owner=ALICE)


class TestValues:
    async def test_times_keep_their_microseconds_and_any_zone_is_utc(self, store: FirestoreStore) -> None:
        at = DAY.astimezone(tz=None)
        await store.put(Agent(id="a", created_at=at, updated_at=DAY), owner=ALICE)
        found = await store.get(Agent, "a", owner=ALICE)
        assert (found.created_at, found.updated_at) == (DAY, DAY)
        assert type(found.created_at) is datetime

    async def test_what_json_can_say_is_kept_also_where_firestore_has_no_word_for_it(
        self, store: FirestoreStore
    ) -> None:
        memory: dict[str, Any] = {"": [[1, [2]], {"__x__": None}], "a.b": 2**62, "f": 1.0, "한": "글"}
        await store.put(Box(id="b", user=ALICE, key="k", spawner_state=memory, started_at=DAY), owner=SYSTEM)
        assert (await store.get(Box, "b", owner=SYSTEM)).spawner_state == memory

    async def test_a_number_beyond_64_bits_is_refused(self, store: FirestoreStore) -> None:
        await store.put(Session(id="s", agent="a", created_at=DAY, updated_at=DAY), owner=ALICE)
        with pytest.raises(BadInput):
            await store.change(Session, "s", owner=ALICE, last_seq=2**63)


class TestManyAtOnce:
    async def test_fifty_who_count_for_one_user_lose_nothing_and_do_not_fight(self, store: FirestoreStore) -> None:
        await asyncio.gather(*(store.add_usage("2026-11", owner=ALICE, turns=1, cost_usd=0.25) for _ in range(50)))
        assert await store.usage("2026-11", owner=ALICE) == {"turns": 50, "cost_usd": 12.5}

    async def test_notes_of_many_at_once_all_have_numbers_of_their_own(self, store: FirestoreStore) -> None:
        acts = [AuditEntry(at=DAY, what=f"deed-{n}") for n in range(25)]
        numbers = await asyncio.gather(*(store.add_audit_entry(act) for act in acts))
        assert len(set(numbers)) == 25
        assert {act.what for act in await store.audit_entries()} == {act.what for act in acts}

    async def test_a_note_made_after_another_has_a_higher_number_also_when_a_clock_was_ahead(
        self, store: FirestoreStore
    ) -> None:
        ahead = int((now() + timedelta(hours=1)).timestamp() * 1_000_000)
        entry = {"seq": ahead, "body": b'{"at":"2026-11-22T00:00:00Z","what":"ahead"}'}
        await store._connection.client.collection("audit").document(f"{ahead:020d}").create(entry)
        assert await store.add_audit_entry(AuditEntry(at=DAY, what="next")) == ahead + 1
        assert [act.what for act in await store.audit_entries()] == ["next", "ahead"]


class TestWhoWeAre:
    @pytest.fixture(autouse=True)
    def _no_emulator(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NO_GCE_CHECK", "true")  # a metadata server is looked for on the network

    async def test_a_key_file_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {"type": "service_account", "project_id": "p", "private_key": private.decode(), "private_key_id": "k"}
        content |= {"client_email": "x@p.example", "token_uri": "https://127.0.0.1:9/token"}
        (tmp_path / "key.json").write_text(json.dumps(content))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        with pytest.raises(Misconfigured, match="only Workload Identity"):
            await FirestoreStore.open("p")

    async def test_a_persons_own_login_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        content = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
        (tmp_path / "adc.json").write_text(json.dumps(content))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
        with pytest.raises(Misconfigured, match="only Workload Identity"):
            await FirestoreStore.open("p")

    async def test_federation_has_no_key_and_is_taken(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        content = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/locations/global/workloadIdentityPools/p/providers/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": str(tmp_path / "token")},
        }
        (tmp_path / "federation.json").write_text(json.dumps(content))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "federation.json"))
        async with await FirestoreStore.open("p"):
            pass

    async def test_nobody_is_one_sentence(self) -> None:
        with pytest.raises(Misconfigured, match="Workload Identity"):
            await FirestoreStore.open("p")

    async def test_no_project_is_one_sentence(self) -> None:
        with pytest.raises(Misconfigured, match="OMA_GCP_PROJECT"):
            await FirestoreStore.open("")


def test_who_did_not_choose_it_does_not_load_it() -> None:
    program = (
        "import sys, core.store.factory, core.gateway.local_server, core.operations.commands, core.operations.doctor\n"
    )
    program += "print([n for n in sys.modules if n in WORDS])"
    program = program.replace(
        "WORDS", "('grpc', 'google.cloud.firestore_v1', 'google.auth', 'google.cloud.secretmanager_v1')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=90)
    assert done.stdout.strip() == "[]"


async def test_the_settings_choose_it(project: str, firestore_emulator: Any) -> None:
    settings = Settings(store="firestore", gcp_project=project, firestore_emulator=firestore_emulator.host)
    async with open_store(settings) as store:
        assert isinstance(store, FirestoreStore)
        await store.ping()


async def test_a_firestore_that_does_not_answer_is_unavailable_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("core.store.firestore_rpc.WAIT_S", 0.3)
        connection = await FirestoreConnection.open("p", emulator=True)
        async with FirestoreStore(connection, clock=lambda: 0.0) as store:
            for verb in (
                store.ping(),
                store.get(Agent, "a", owner=ALICE),
                store.append("s", [wrote(1, "x")], owner=ALICE),
            ):
                with pytest.raises(StoreUnavailable):
                    await verb
