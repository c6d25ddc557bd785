"""The contract of every vault, tested against each implementation."""

import asyncio
import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core.domain.errors import BadInput, TooMuch, VaultUnavailable
from core.domain.records import UserId
from core.vault import Vault
from core.vault.google import GoogleVault
from core.vault.local import LocalVault
from tests.secret_manager import SecretManager

ALICE, BOB = UserId("google-1234567890"), UserId("u-0123456789abcdef")
VALUE = "여러 줄\n'\"\\ $x 값 0123456789"


@pytest.fixture(params=["local", "google"])
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Vault]]]:
    """The same vault once more, as another process would have it."""
    opened: list[Vault] = []
    async with SecretManager() as google:

        async def another() -> Vault:
            if request.param == "local":
                opened.append(LocalVault(tmp_path))
            else:
                opened.append(await GoogleVault.open("a-project", region="asia-northeast3", emulator=google.host))
            return opened[-1]

        yield another
        for each in opened:
            await each.close()
            await each.close()


@pytest.fixture
async def vault(open_another: Callable[[], Awaitable[Vault]]) -> Vault:
    return await open_another()


async def test_a_value_comes_back_as_it_was_and_only_when_it_is_asked_for(vault: Vault) -> None:
    await vault.put("TOKEN", VALUE, owner=ALICE)
    await vault.put("A_KEY2", "another value", owner=ALICE)
    assert await vault.names(owner=ALICE) == ("A_KEY2", "TOKEN")
    assert await vault.get(["TOKEN", "NOT_THERE"], owner=ALICE) == {"TOKEN": VALUE}
    assert VALUE not in repr(await vault.get(["TOKEN"], owner=ALICE))


async def test_nobody_has_the_secrets_of_another(vault: Vault) -> None:
    await vault.put("TOKEN", VALUE, owner=ALICE)
    assert await vault.names(owner=BOB) == ()
    assert await vault.get(["TOKEN"], owner=BOB) == {}
    await vault.delete("TOKEN", owner=BOB)
    await vault.forget(BOB)
    assert await vault.names(owner=ALICE) == ("TOKEN",)


async def test_replaced_means_that_the_old_value_is_gone_and_deleted_that_the_name_is(vault: Vault) -> None:
    await vault.put("TOKEN", VALUE, owner=ALICE)
    await vault.put("TOKEN", "a newer value", owner=ALICE)
    assert await vault.get(["TOKEN"], owner=ALICE) == {"TOKEN": "a newer value"}
    for _ in range(2):
        await vault.delete("TOKEN", owner=ALICE)
        assert await vault.names(owner=ALICE) == ()
    await vault.put("TOKEN", VALUE, owner=ALICE)
    for _ in range(2):
        await vault.forget(ALICE)
        assert await vault.names(owner=ALICE) == ()


async def test_changes_at_once_lose_none_of_each_other(vault: Vault) -> None:
    names = [f"NAME_{number}" for number in range(8)]
    await asyncio.gather(*(vault.put(name, VALUE + name, owner=ALICE) for name in names))
    assert await vault.get(names, owner=ALICE) == {name: VALUE + name for name in names}


async def test_several_processes_do_not_undo_each_others_changes(open_another: Callable[[], Awaitable[Vault]]) -> None:
    here, there = await open_another(), await open_another()
    await here.put("GONE", VALUE, owner=ALICE)

    async def work(vault: Vault, word: str) -> None:
        for number in range(4):
            await vault.put(f"{word}_{number}", f"{VALUE} {word} {number}", owner=ALICE)
        await vault.delete("GONE", owner=ALICE)

    await asyncio.gather(work(here, "HERE"), work(there, "THERE"))
    names = [f"{word}_{number}" for word in ("HERE", "THERE") for number in range(4)]
    for vault in (here, there):
        assert await vault.names(owner=ALICE) == tuple(sorted(names))
        assert (await vault.get(names, owner=ALICE))["THERE_3"] == f"{VALUE} THERE 3"


async def test_a_user_who_is_forgotten_may_begin_again(vault: Vault) -> None:
    await vault.put("TOKEN", VALUE, owner=ALICE)
    await vault.forget(ALICE)
    await vault.put("OTHER", VALUE, owner=ALICE)
    assert await vault.get(["TOKEN", "OTHER"], owner=ALICE) == {"OTHER": VALUE}


@pytest.mark.parametrize("owner", ["", "../x", "a/b", "-a", "a.b", "ㄱ", "a" * 101])
async def test_what_is_no_users_id_reaches_nothing(vault: Vault, owner: str) -> None:
    for act in (
        vault.names(owner=UserId(owner)),
        vault.put("TOKEN", VALUE, owner=UserId(owner)),
        vault.get(["TOKEN"], owner=UserId(owner)),
    ):
        with pytest.raises(BadInput):
            await act


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *((name, "bad_secret_name") for name in ("", "a", "1A", "A-B", "A B", "A=B", "A\n", "../X", "비밀", "A" * 65)),
        *((name, "taken_secret_name") for name in ("PATH", "HOME", "LD_PRELOAD", "ANTHROPIC_API_KEY", "OMA_ENV", "_")),
        *((name, "taken_secret_name") for name in ("CLAUDE_CODE_USE_BEDROCK", "NODE_OPTIONS", "HTTPS_PROXY")),
    ],
)
async def test_a_name_that_would_change_how_programs_run_is_none(vault: Vault, name: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        await vault.put(name, VALUE, owner=ALICE)
    assert refused.value.code == code
    assert await vault.names(owner=ALICE) == ()


@pytest.mark.parametrize(
    ("value", "code"),
    [("", "short_secret"), ("1234567", "short_secret"), ("   1234567   ", "short_secret"), ("12345678\0", "bad_secret"),
     ("12345678\ud83d", "bad_secret")],
)  # fmt: skip
async def test_a_value_that_could_not_be_masked_or_handed_over_is_none(vault: Vault, value: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        await vault.put("TOKEN", value, owner=ALICE)
    assert refused.value.code == code


async def test_there_is_room_for_64_kib_and_what_is_too_much_changes_nothing(vault: Vault) -> None:
    await vault.put("LARGE", "x" * 65_000, owner=ALICE)
    with pytest.raises(TooMuch) as refused:
        await vault.put("MORE", "y" * 600, owner=ALICE)
    assert refused.value.code == "secrets_full"
    assert await vault.names(owner=ALICE) == ("LARGE",)
    await vault.put("LARGE", "smaller now", owner=ALICE)
    await vault.put("MORE", "y" * 600, owner=ALICE)


# --- the local one's own ---------------------------------------------------------------------------------------------


async def test_on_disk_there_is_neither_value_nor_name_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    await LocalVault(tmp_path).put("TOKEN_NAME", "a-value-of-ascii", owner=ALICE)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path).as_posix() for path in files} == {"vault.key", f"vault/{ALICE}"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not re.search(b"a-value-of|TOKEN_NAME", path.read_bytes())
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700


async def test_a_new_key_reads_what_the_old_one_wrote_and_then_the_old_one_may_go(tmp_path: Path) -> None:
    vault, key = LocalVault(tmp_path), tmp_path / "vault.key"
    for owner in (ALICE, BOB):
        await vault.put("TOKEN", VALUE, owner=owner)
    assert await vault.renew() == 0
    new = Fernet.generate_key().decode()
    key.write_text(f"{new}\n{key.read_text()}")
    assert await vault.get(["TOKEN"], owner=ALICE) == {"TOKEN": VALUE}
    assert await vault.renew() == 2
    key.write_text(new)
    assert await vault.get(["TOKEN"], owner=ALICE) == await vault.get(["TOKEN"], owner=BOB) == {"TOKEN": VALUE}


@pytest.mark.parametrize(
    "wrong", [None, "", "no key", Fernet.generate_key().decode()], ids=["gone", "", "no key", "another"]
)
async def test_without_its_key_it_says_so_and_makes_no_other_one(tmp_path: Path, wrong: str | None) -> None:
    vault, key = LocalVault(tmp_path), tmp_path / "vault.key"
    await vault.put("TOKEN", VALUE, owner=ALICE)
    right = key.read_text()
    key.unlink() if wrong is None else key.write_text(wrong)
    for act in (vault.names(owner=ALICE), vault.put("OTHER", VALUE, owner=ALICE), vault.delete("TOKEN", owner=ALICE)):
        with pytest.raises(VaultUnavailable, match="key") as refused:
            await act
        assert not wrong or len(wrong) < 44 or wrong not in str(refused.value)
    assert key.exists() == (wrong is not None)
    key.write_text(right)
    key.chmod(0o600)
    assert await vault.get(["TOKEN"], owner=ALICE) == {"TOKEN": VALUE}


async def test_a_file_of_another_user_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    vault = LocalVault(tmp_path)
    await vault.put("TOKEN", VALUE, owner=ALICE)
    (tmp_path / "vault" / BOB).write_bytes((tmp_path / "vault" / ALICE).read_bytes())
    with pytest.raises(VaultUnavailable):
        await vault.names(owner=BOB)


async def test_a_change_that_cannot_be_written_leaves_the_old_values(tmp_path: Path) -> None:
    vault = LocalVault(tmp_path)
    await vault.put("TOKEN", VALUE, owner=ALICE)
    (tmp_path / "vault.key").chmod(0o644)
    with pytest.raises(VaultUnavailable, match="chmod 600"):
        await vault.put("OTHER", VALUE, owner=ALICE)
    (tmp_path / "vault.key").chmod(0o600)
    assert await vault.names(owner=ALICE) == ("TOKEN",)
    assert not [name for name in os.listdir(tmp_path) if name.startswith("vault.") and name != "vault.key"]
