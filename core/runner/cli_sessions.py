"""The CLI's own session ids of one of our sessions, kept beside its log, because `/clear` gives the CLI a new one.

The first id is ours; as long as there is no other there is no file. Each further id is appended to `<session>.cli` as a
line. The next CLI resumes the last of them, also under another runner. Earlier ids are kept, because deleting a session
deletes the transcripts of all of them. The agent can write in its home and thus here: lines that are not UUIDs are
skipped, and only a small plain file is read.
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
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe in its place must not block
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class CliSessions:
    """The ids of one session. `current` is the one that the next CLI resumes."""

    def __init__(self, session: str, log_path: Path) -> None:
        self._path = log_path.with_suffix(".cli")
        self.current = cli_sessions(session, log_path)[-1]

    def on_cli_message(self, said: Json) -> None:
        """Follow the CLI to a new session.

        The CLI reports the end of the old conversation before it reports the new id. Until then `current` is an unused
        id: if the CLI is killed in between, the next one starts empty instead of with the old conversation.
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
                os.write(fd, f"\n{id}\n".encode())  # the line before may be incomplete
                os.fdatasync(fd)
            finally:
                os.close(fd)
        except OSError as error:  # this runner still knows it
            log.warning("%s: the CLI's new session id was not kept: %s", self._path.name, error)


def cli_sessions(session: str, log_path: Path) -> list[str]:
    """Return all ids under which the CLI has stored this session, the present one last."""
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
