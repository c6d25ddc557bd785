"""Tests of the vault at Google: where and how it stores, when it destroys, and how it fails."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from google.cloud.secretmanager_v1.types import service

from core.config.settings import Settings
from core.domain.errors import Misconfigured, VaultUnavailable
from core.domain.records import UserId
from core.vault.factory import opened_vault, whereabouts
from core.vault.google import GoogleVault
from tests.secret_manager import SecretManager, State

ALICE = UserId("google-1234567890")
NAME = f"projects/a-project/secrets/oma-user-{ALICE}"
FIRST = ("GetSecret", "CreateSecret", "AddSecretVersion", "AccessSecretVersion", "UpdateSecret")
LATER = ("GetSecret", "AddSecretVersion", "AccessSecretVersion", "UpdateSecret", "ListSecretVersions")


@pytest.fixture
async def google() -> AsyncIterator[SecretManager]:
    async with SecretManager() as google:
        yield google


@asynccontextmanager
async def opened(google: SecretManager) -> AsyncIterator[GoogleVault]:
    vault = await GoogleVault.open("a-project", region="asia-northeast3", emulator=google.host)
    yield vault
    await vault.close()


@pytest.fixture
async def vault(google: SecretManager) -> AsyncIterator[GoogleVault]:
    async with opened(google) as vault:
        yield vault


def living(google: SecretManager) -> list[int]:
    versions = google.kept[NAME].versions
    assert all(bool(version.data) == (version.state != State.DESTROYED) for version in versions)
    return [number for number, version in enumerate(versions, 1) if version.state != State.DESTROYED]


async def test_a_user_is_one_secret_in_one_region_with_one_living_version(
    google: SecretManager, vault: GoogleVault
) -> None:
    for number in range(3):
        await vault.put(f"NAME_{number}", "a value of it", owner=ALICE)
    assert list(google.kept) == [NAME]
    [replica] = google.kept[NAME].now.replication.user_managed.replicas
    assert replica.location == "asia-northeast3"
    assert living(google) == [3]
    assert json.loads(google.kept[NAME].versions[2].data) == {f"NAME_{number}": "a value of it" for number in range(3)}


async def test_the_old_is_destroyed_only_when_the_new_has_been_read_and_counts(
    google: SecretManager, vault: GoogleVault
) -> None:
    await vault.put("NAME", "an older value", owner=ALICE)
    google.calls.clear()
    await vault.put("NAME", "a newer value", owner=ALICE)
    assert google.calls == [
        *("GetSecret", "AccessSecretVersion", "AddSecretVersion", "AccessSecretVersion", "UpdateSecret"),
        *("ListSecretVersions", "DestroySecretVersion"),
    ]


async def test_what_is_sent_has_its_checksum(
    google: SecretManager, vault: GoogleVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[service.AddSecretVersionRequest] = []
    plain = google._AddSecretVersion
    monkeypatch.setattr(google, "_AddSecretVersion", lambda asked: sent.append(asked) or plain(asked))
    await vault.put("NAME", "a value of it", owner=ALICE)
    assert sent[0].payload._pb.HasField("data_crc32c")


@pytest.mark.parametrize("fault", ["unavailable", "lost", "quota"])
@pytest.mark.parametrize("method", FIRST)
async def test_one_fault_in_the_first_change_is_nothing_anybody_notices(
    google: SecretManager, vault: GoogleVault, method: str, fault: str
) -> None:
    google.next[method] = [fault]
    await vault.put("NAME", "a value of it", owner=ALICE)
    assert not google.next[method]
    assert await vault.get(["NAME"], owner=ALICE) == {"NAME": "a value of it"}
    await vault.put("OTHER", "another value", owner=ALICE)
    assert await vault.names(owner=ALICE) == ("NAME", "OTHER")
    assert len(living(google)) == 1


@pytest.mark.parametrize("fault", ["unavailable", "lost"])
@pytest.mark.parametrize("method", LATER)
async def test_one_fault_in_a_later_change_neither(
    google: SecretManager, vault: GoogleVault, method: str, fault: str
) -> None:
    await vault.put("NAME", "a value of it", owner=ALICE)
    google.next[method] = [fault]
    await vault.delete("NAME", owner=ALICE)
    await vault.put("OTHER", "another value", owner=ALICE)
    assert not google.next[method]
    assert await vault.names(owner=ALICE) == ("OTHER",)
    assert len(living(google)) == 1


async def test_an_old_answer_about_a_secret_loses_nobodys_change(google: SecretManager, vault: GoogleVault) -> None:
    async with opened(google) as other:
        await vault.put("NAME", "a value of it", owner=ALICE)
        await other.put("OTHER", "another value", owner=ALICE)
        google.stale = 3
        await vault.put("THIRD", "a third value", owner=ALICE)
        assert not google.stale
        google.stale = 1
        assert await other.names(owner=ALICE) == ("NAME", "OTHER", "THIRD")
        assert not google.stale


async def test_what_seems_to_be_there_already_is_made_sure_of(google: SecretManager, vault: GoogleVault) -> None:
    async with opened(google) as other:
        await vault.put("NAME", "a value of it", owner=ALICE)
        await other.put("NAME", "another value", owner=ALICE)
        google.kept[NAME].versions[0].state, google.kept[NAME].versions[0].data = (
            State.ENABLED,
            b'{"NAME":"a value of it"}',
        )
        google.stale = 1
        await vault.put("NAME", "a value of it", owner=ALICE)
        assert await other.get(["NAME"], owner=ALICE) == {"NAME": "a value of it"}


async def test_of_two_who_change_the_same_moment_one_begins_anew(google: SecretManager, vault: GoogleVault) -> None:
    await vault.put("NAME", "a value of it", owner=ALICE)
    both = asyncio.Barrier(2)  # each has read the head and added a version before the other moves it
    google.next["UpdateSecret"] = [both.wait, both.wait]
    google.calls.clear()
    async with opened(google) as other:
        await asyncio.gather(
            vault.put("HERE", "a value of it", owner=ALICE), other.put("THERE", "a value of it", owner=ALICE)
        )
    assert google.calls.count("UpdateSecret") == 3
    assert await vault.names(owner=ALICE) == ("HERE", "NAME", "THERE")
    assert living(google) == [4]


async def test_a_change_that_died_leaves_what_was_and_its_rest_is_destroyed_by_the_next(
    google: SecretManager, vault: GoogleVault
) -> None:
    await vault.put("NAME", "a value of it", owner=ALICE)
    reached = asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    google.next["UpdateSecret"] = [hang]
    dying = asyncio.create_task(vault.put("OTHER", "another value", owner=ALICE))
    await reached.wait()
    dying.cancel()
    await asyncio.wait({dying})
    assert await vault.names(owner=ALICE) == ("NAME",)
    assert living(google) == [1, 2]
    await vault.put("THIRD", "a third value", owner=ALICE)
    assert await vault.names(owner=ALICE) == ("NAME", "THIRD")
    assert living(google) == [3]


async def test_what_comes_damaged_is_not_taken(google: SecretManager, vault: GoogleVault) -> None:
    await vault.put("NAME", "a value of it", owner=ALICE)
    google.next["AccessSecretVersion"] = ["damaged"]
    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.get(["NAME"], owner=ALICE)
    google.next["AccessSecretVersion"] = ["", "damaged"]
    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.put("OTHER", "another value", owner=ALICE)
    assert await vault.names(owner=ALICE) == ("NAME",)


async def test_what_cannot_be_destroyed_now_is_said_and_does_not_undo_the_change(
    google: SecretManager, vault: GoogleVault, caplog: pytest.LogCaptureFixture
) -> None:
    await vault.put("NAME", "a value of it", owner=ALICE)
    google.denied = {"DestroySecretVersion"}
    with caplog.at_level(logging.WARNING):
        await vault.put("NAME", "a newer value", owner=ALICE)
    assert "not destroyed yet" in caplog.text and "a newer value" not in caplog.text
    assert await vault.get(["NAME"], owner=ALICE) == {"NAME": "a newer value"}
    google.denied = set()
    await vault.put("NAME", "the newest value", owner=ALICE)
    assert living(google) == [3]


async def test_a_version_that_somebody_disabled_is_named(google: SecretManager, vault: GoogleVault) -> None:
    await vault.put("NAME", "a value of it", owner=ALICE)
    google.kept[NAME].versions[0].state = State.DISABLED
    with pytest.raises(VaultUnavailable, match=f"version 1 of oma-user-{ALICE} .* disabled"):
        await vault.names(owner=ALICE)


@pytest.mark.parametrize("method", FIRST)
async def test_who_may_not_is_told_what_to_grant(google: SecretManager, vault: GoogleVault, method: str) -> None:
    google.denied = {method}
    with pytest.raises(VaultUnavailable, match=r"k8s/setup\.sh identities"):
        await vault.put("NAME", "a value of it", owner=ALICE)


async def test_a_quota_that_stays_used_up_is_named_in_bounded_time(
    google: SecretManager, vault: GoogleVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.vault.google.ANY_TIMES", {"retry": None, "timeout": 5.0})
    google.next["*"] = ["quota"]
    with pytest.raises(VaultUnavailable, match="quota"):
        await vault.names(owner=ALICE)


async def test_a_secret_manager_that_says_nothing_is_given_up(
    google: SecretManager, vault: GoogleVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.vault.google_rpc.WAIT_S", 0.3)
    google.next["*"] = ["slow"] * 3
    for act in (vault.names(owner=ALICE), vault.put("NAME", "a value of it", owner=ALICE), vault.forget(ALICE)):
        with pytest.raises(VaultUnavailable, match="does not answer"):
            await act


async def test_nobody_there_is_unavailable_and_so_is_a_closed_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.vault.google_rpc.WAIT_S", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        vault = await GoogleVault.open("a-project", region="asia-northeast3", emulator=host)
        with pytest.raises(VaultUnavailable, match="does not answer"):
            await vault.names(owner=ALICE)
        await vault.close()
    with pytest.raises(VaultUnavailable, match="closed"):
        await vault.names(owner=ALICE)


async def test_the_settings_choose_it_and_say_where_it_is(google: SecretManager) -> None:
    settings = Settings(vault="google", gcp_project="a-project", secret_manager_emulator=google.host)
    async with opened_vault(settings) as vault:
        assert isinstance(vault, GoogleVault)
        await vault.put("NAME", "a value of it", owner=ALICE)
    assert list(google.kept) == [NAME]
    assert whereabouts(settings) == f"Secret Manager of project a-project, asia-northeast3 (emulator at {google.host})"


class TestIdentity:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    async def test_a_key_file_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        content = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
        (tmp_path / "adc.json").write_text(json.dumps(content))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
        with pytest.raises(Misconfigured, match="only Workload Identity"):
            await GoogleVault.open("a-project", region="asia-northeast3")

    async def test_nobody_is_one_sentence_that_says_how_to_try_it(self) -> None:
        with pytest.raises(Misconfigured, match="SECRET_MANAGER_EMULATOR_HOST"):
            await GoogleVault.open("a-project", region="asia-northeast3")

    async def test_no_project_is_one_sentence(self) -> None:
        with pytest.raises(Misconfigured, match="OMA_GCP_PROJECT"):
            await GoogleVault.open("", region="asia-northeast3")
