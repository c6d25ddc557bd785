"""The valid names and values of secrets, and how much fits into a user's vault: the same for every vault."""

import re
from collections.abc import Mapping

import msgspec

from core.config.settings import Secret
from core.domain.errors import BadInput, TooMuch, VaultUnavailable
from core.observability.redaction import SHORTEST

MAP_BYTES = 64 * 1024  # of all secrets of a user as JSON: a version in Secret Manager holds this much
NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")

# Variables that decide how programs run and where they connect, and those that the platform itself gives to a CLI.
TAKEN = frozenset(
    "_ BASH_ENV CDPATH ENV HOME HOSTNAME IFS LANG LANGUAGE LOGNAME OLDPWD PATH PS4 PWD SHELL SHELLOPTS SHLVL TEMP TERM "
    "TMP TMPDIR UID USER HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY NO_PROXY PYTHONPATH PYTHONHOME PYTHONSTARTUP "
    "GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_PROXY_COMMAND PERL5LIB PERL5OPT RUBYLIB RUBYOPT".split()
)
TAKEN_HEADS = ("ANTHROPIC_", "BASHOPTS", "BASH_FUNC", "CLAUDE", "DISABLE_", "DYLD_", "GLIBC_", "LC_", "LD_", "MALLOC_",
               "MCP_", "NODE_", "OMA_", "OTEL_")  # fmt: skip


def check_name(name: str) -> None:
    """Check a secret's name. Raises: BadInput: `bad_secret_name` or `taken_secret_name`."""
    if not NAME.fullmatch(name):
        raise BadInput("a name has 1 to 64 capital letters, digits and _", code="bad_secret_name")
    if name in TAKEN or name.startswith(TAKEN_HEADS):
        raise BadInput("this name means something to the system already", code="taken_secret_name")


def check(name: str, value: str) -> None:
    """Check a secret's name and value. Raises: BadInput: as `check_name`, or `short_secret` or `bad_secret`."""
    check_name(name)
    if len(value.strip()) < SHORTEST:  # it could not be masked: it would match half of all text
        raise BadInput(f"a value has at least {SHORTEST} characters", code="short_secret")
    if "\0" in value or not _is_text(value):
        raise BadInput("this value cannot stand in an environment", code="bad_secret")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a character
        return False
    return True


def packed(values: Mapping[str, str]) -> bytes:
    """Return the map in its stored form. Raises: TooMuch: it is too large."""
    raw = msgspec.json.encode({name: str(value) for name, value in sorted(values.items())})
    if len(raw) > MAP_BYTES:
        raise TooMuch(f"all values together have more than {MAP_BYTES} bytes", code="secrets_full")
    return raw


def unpacked(raw: bytes) -> dict[str, Secret]:
    """Return the map that `packed` stored. Raises: VaultUnavailable: it is damaged."""
    try:
        found = msgspec.json.decode(raw, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        # without its cause, which quotes the unreadable content
        raise VaultUnavailable("what the vault holds is damaged") from None
    return {name: Secret(value) for name, value in found.items()}
