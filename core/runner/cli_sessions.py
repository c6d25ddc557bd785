"""The CLI's own session ids of one of our sessions, kept beside its log: `/clear` gives the CLI a new one.

The first id is ours, and as long as there is no other there is no file. Each further id is appended to `<session>.cli`
as a line, so that the next CLI resumes the last of them, also under another runner. The ids before it are kept because
a deleted session takes the transcripts of all of them with it.

The agent can write in its home, and thus here: a line that is not a UUID is skipped, and a file that is not a small
plain one is not read.
"""

import logging
import os
import re
import stat
import uuid
from pathlib import Path

from core.runner.cli import Json

log = logging.getLogger("oma.cli_sessions")

FILE_BYTES = 64 * 1024  # some 1,700 ids
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe in its place stops nobody
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class CliSessions:
    """`current` is the id that the next CLI resumes."""

    def __init__(self, session: str, log_path: Path) -> None:
        self._path = log_path.with_suffix(".cli")
        self.current = cli_sessions(session, log_path)[-1]

    def on_cli_message(self, said: Json) -> None:
        """Follow the CLI to another session.

        It says that the old conversation is over before it says the new id. Until then the id is one that nobody has
        used: a CLI that is killed in between is followed by one that knows nothing, and not by the old conversation.
        """
        if said.get("type") == "conversation_reset":
            self._follow(str(uuid.uuid4()))
        elif said.get("type") == "system" and said.get("subtype") == "init":
            id = said.get("session_id")
            if isinstance(id, str) and _UUID.fullmatch(id):
                self._follow(id)

    def _follow(self, id: str) -> None:
        if id == self.current:
            return
        self.current = id
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | OPEN, 0o600)
            try:
                os.write(fd, f"\n{id}\n".encode())  # the line before may be torn
                os.fdatasync(fd)
            finally:
                os.close(fd)
        except OSError as error:  # this runner knows it all the same
            log.warning("%s: the CLI's new session id was not kept: %s", self._path.name, error)


def cli_sessions(session: str, log_path: Path) -> list[str]:
    """All ids under which the CLI has kept this session, the present one last."""
    try:
        text = _read(log_path.with_suffix(".cli")).decode("ascii", errors="replace")
    except OSError:
        text = ""
    return [session, *(line for line in text.splitlines() if _UUID.fullmatch(line))]


def _read(path: Path) -> bytes:
    """The end of the file. Raises: OSError: there is none, or it is no file of ours."""
    fd = os.open(path, os.O_RDONLY | OPEN)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(f"{path.name} is not a file")
        return os.pread(fd, FILE_BYTES, max(0, about.st_size - FILE_BYTES))
    finally:
        os.close(fd)
