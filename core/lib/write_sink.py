"""A file that can only be written: what came in waits in memory until it is taken, to be sent somewhere."""


class WriteSink:
    """A file that can only be written: `zipfile` writes an archive into it while the archive is being sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def take(self) -> bytes:
        """All of it, once."""
        whole, self._parts, self.size = b"".join(self._parts), [], 0
        return whole
