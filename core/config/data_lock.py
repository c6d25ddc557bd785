"""The lock that allows one `serve` per data directory. A second one would stop the boxes of the first when it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from core.config.settings import Settings
from core.domain.errors import Misconfigured

NAME = "serve.lock"
HOLDER_CHARS = 200


@contextmanager
def data_lock(settings: Settings) -> Iterator[None]:
    """Hold the data directory while the context is open. The kernel releases it if this process dies.

    Raises: Misconfigured: another process holds it; the text names that process and its address.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.data_dir / NAME
    # Not inherited by our child processes: a gateway or a runner that outlives us must not hold it.
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = file.read(HOLDER_CHARS).strip() or "another process"
            raise Misconfigured(
                f"{settings.data_dir} is in use by {holder}: end that one first, or set OMA_DATA_DIR to another one"
            ) from error
        file.truncate()
        file.write(f"process {os.getpid()} at {settings.url}\n")
        file.flush()
        yield
