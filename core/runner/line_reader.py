"""Splits bytes into lines. Neither long lines nor invalid bytes nor chunks that end inside a line stop the reading."""

LIMIT_BYTES = 16 * 1024 * 1024  # a stream-json line can hold a whole file; a longer one is an attack


class LineReader:
    """Reads chunks as they come. Only LF ends a line; a line over the limit is dropped and counted."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._dropping = False
        self.dropped = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that this chunk completes, without line ends and without empty lines."""
        *ends, rest = chunk.split(b"\n")
        lines = [line for end in ends if (line := self._end(end))]
        self._keep(rest)
        return lines

    def _keep(self, part: bytes) -> None:
        if not part or self._dropping:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit:
            self._dropping = True
            self._parts.clear()

    def _end(self, part: bytes) -> bytes:
        self._keep(part)
        line = b"".join(self._parts)
        self.dropped += self._dropping
        self._parts.clear()
        self._size, self._dropping = 0, False
        return line.strip()
