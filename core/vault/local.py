"""The vault of one machine: an encrypted file for each user in the data directory, complete at every moment.

vault.key     0600, one key per line: the first encrypts, all decrypt. Created with the first secret
vault/<id>    0600, Fernet (AES-128-CBC, HMAC-SHA256) over owner and map, so that no file can pass as another user's

It protects copies without the key, such as a stray file or a disk image. A process that can read the key can read all.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.config.runtime_dir import write_once
from core.config.settings import Secret
from core.domain.errors import BadInput, VaultUnavailable
from core.domain.records import UserId
from core.vault.limits import check, packed, unpacked

log = logging.getLogger("oma.vault")

KEY_FILE, FOLDER = "vault.key", "vault"
LOCK_S = 5.0  # a change takes milliseconds; a process that holds the lock longer hangs
LOCK_LOOK_S = 0.01
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class LocalVault:
    """The Vault of core.vault in files. The key is read at each call, so a new key needs no restart of the gateway."""

    def __init__(self, data_dir: Path) -> None:
        self._key_file, self._folder = data_dir / KEY_FILE, data_dir / FOLDER

    async def names(self, *, owner: UserId) -> tuple[str, ...]:
        return tuple(await asyncio.to_thread(self._read, owner))

    async def get(self, names: Iterable[str], *, owner: UserId) -> dict[str, Secret]:
        found = await asyncio.to_thread(self._read, owner)
        return {name: found[name] for name in names if name in found}

    async def put(self, name: str, value: str, *, owner: UserId) -> None:
        check(name, value)
        await asyncio.to_thread(self._change, owner, name, Secret(value))

    async def delete(self, name: str, *, owner: UserId) -> None:
        await asyncio.to_thread(self._change, owner, name, None)

    async def forget(self, owner: UserId) -> None:
        await asyncio.to_thread(self._forget, owner)

    async def close(self) -> None:
        """Do nothing: no file stays open between two calls."""

    async def renew(self) -> int:
        """Encrypt with the first key everything that is under another one; return how many files. After it the other
        keys may be removed.

        A file that cannot be read stays as it is, and the log names it.
        """
        return await asyncio.to_thread(self._renew)

    # --- in a thread -------------------------------------------------------------------------------------------------

    def _read(self, owner: UserId) -> dict[str, Secret]:
        try:
            token = self._path(owner).read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise VaultUnavailable(f"the vault cannot be read: {error.strerror}") from error
        whose, _, raw = self._decrypted(token).partition(b"\n")
        if whose != owner.encode():
            raise VaultUnavailable("a file of the vault is another user's")
        return unpacked(raw)

    def _change(self, owner: UserId, name: str, value: Secret | None) -> None:
        with self._alone():
            values = self._read(owner)
            if value is None and name not in values:
                return
            kept = {one: old for one, old in values.items() if one != name}
            raw = packed(kept if value is None else kept | {name: value})
            self._write(self._path(owner), self._cipher().encrypt(owner.encode() + b"\n" + raw))

    def _forget(self, owner: UserId) -> None:
        if self._folder.is_dir():
            with self._alone():
                self._path(owner).unlink(missing_ok=True)

    def _renew(self) -> int:
        if not self._folder.is_dir() or not self._key_file.is_file():
            return 0
        with self._alone():
            keys = self._keys()
            return sum(self._renewed(path, keys) for path in sorted(self._folder.iterdir()))

    def _renewed(self, path: Path, keys: list[Fernet]) -> bool:
        token = path.read_bytes()
        with contextlib.suppress(InvalidToken):
            keys[0].decrypt(token)
            return False
        try:
            self._write(path, MultiFernet(keys).rotate(token))
        except InvalidToken:
            log.warning("no key in %s opens %s", self._key_file, path)
            return False
        return True

    def _decrypted(self, token: bytes) -> bytes:
        try:
            return MultiFernet(self._keys()).decrypt(token)
        except InvalidToken as error:
            raise VaultUnavailable(f"no key in {self._key_file} opens the vault, or it is damaged") from error

    def _cipher(self) -> MultiFernet:
        """Return the cipher to encrypt with. The first secret creates the key, unless files of an unknown key exist."""
        if not self._key_file.exists() and not any(self._folder.iterdir()):
            write_once(self._key_file, Fernet.generate_key().decode())
        return MultiFernet(self._keys())

    def _keys(self) -> list[Fernet]:
        try:
            if stat.S_IMODE(self._key_file.stat().st_mode) & 0o077:
                raise VaultUnavailable(f"others can read {self._key_file}: type chmod 600 {self._key_file}")
            keys = [Fernet(line) for line in self._key_file.read_text(encoding="ascii").split()]
        except FileNotFoundError as error:
            raise VaultUnavailable(f"the vault's key {self._key_file} is gone: bring it back from a backup") from error
        except (OSError, ValueError):  # without its cause, which may quote the key
            raise VaultUnavailable(f"the vault's key {self._key_file} cannot be read") from None
        if not keys:
            raise VaultUnavailable(f"the vault's key {self._key_file} is empty: bring it back from a backup")
        return keys

    def _path(self, owner: UserId) -> Path:
        if not OWNER.fullmatch(owner):
            raise BadInput("not a user's id")
        return self._folder / owner

    def _write(self, path: Path, token: bytes) -> None:
        """Write a file completely or not at all. The draft lies outside the folder, in which every file belongs to a
        user.
        """
        draft = self._folder.with_name(f"{FOLDER}.{secrets.token_hex(6)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(token)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync(self._folder)
        except OSError as error:
            raise VaultUnavailable(f"the vault cannot be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the vault's lock against other changes, in this process or another one. The kernel releases it with its
        holder.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise VaultUnavailable(f"the vault cannot be opened: {error.strerror}") from error
        try:
            _lock(fd)
            yield
        finally:
            os.close(fd)


def _lock(fd: int) -> None:
    end = time.monotonic() + LOCK_S
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise VaultUnavailable("another process holds the vault") from error
        time.sleep(LOCK_LOOK_S)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
