"""Reads the usage of a model call from the bytes of its answer while they are forwarded."""

import msgspec

LINE_BYTES = 256 * 1024  # of an event of the stream; events with usage have a few hundred
BODY_BYTES = 16 * 1024 * 1024  # of an answer that is no stream
CHARS_A_TOKEN = 4  # to estimate the output of an interrupted answer
FRAME_BYTES = 115  # of a delta of text around its text
TELLING = b"message_"  # begins the names of the events with usage


class CallUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a call. `model` is the one that answered; `fast` and `us_only` calls cost more; all as the API
    reports.
    """

    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    web_searches: int = 0
    fast: bool = False
    us_only: bool = False

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt, whether they were read from a cache or not."""
        return self.input_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens + self.cache_read_tokens


class _CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class _ServerTools(msgspec.Struct, frozen=True):
    web_search_requests: int = 0


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    speed: str | None = None
    inference_geo: str | None = None


class _Message(msgspec.Struct, frozen=True):
    model: str = ""
    usage: _Usage | None = None


class _StreamEvent(msgspec.Struct, frozen=True):
    type: str = ""
    message: _Message | None = None
    usage: _Usage | None = None


_event = msgspec.json.Decoder(_StreamEvent)
_message = msgspec.json.Decoder(_Message)


class AnswerUsage:
    """Reads the usage of one answer. `feed` takes its bytes; `used` is the usage known so far.

    Only the incomplete line is kept, because an answer may have many megabytes.
    """

    def __init__(self, *, streams: bool) -> None:
        self._streams = streams
        self._rest = b""
        self._deltas = self._delta_bytes = 0
        self._seen = CallUsage()
        self.ended = False  # the answer is complete

    @property
    def used(self) -> CallUsage:
        """The usage so far. For an answer that broke off, the output tokens are estimated from the characters."""
        if self.ended or not self._seen.model:
            return self._seen
        written = max(0, self._delta_bytes - FRAME_BYTES * self._deltas) // CHARS_A_TOKEN
        return msgspec.structs.replace(self._seen, output_tokens=max(self._seen.output_tokens, written))

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes of the answer."""
        if self._streams:
            self._feed_stream(chunk)
        elif len(self._rest) + len(chunk) <= BODY_BYTES:
            self._rest += chunk

    def end(self) -> None:
        """Read an answer that is no stream, now that all its bytes are there."""
        if not self._streams and not self.ended:
            try:
                message = _message.decode(self._rest)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return
            self._take(message)
            self.ended, self._rest = True, b""

    def _feed_stream(self, chunk: bytes) -> None:
        deltas = chunk.count(b'"content_block_delta"')
        if deltas:
            self._deltas += deltas
            self._delta_bytes += len(chunk)
        window = self._rest + chunk if self._rest else chunk
        cut = window.rfind(b"\n") + 1
        self._rest = window[cut:][-LINE_BYTES:] if cut < len(window) else b""
        if TELLING not in window:
            return
        for line in window[:cut].split(b"\n"):
            if line.startswith(b"data:") and TELLING in line:
                self._read(line[5:])

    def _read(self, line: bytes) -> None:
        try:
            event = _event.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # text that only looks like an event
        match event.type:
            case "message_start" if event.message:
                self._take(event.message)
            case "message_delta":
                self._take(_Message(usage=event.usage))
            case "message_stop":
                self.ended = True

    def _take(self, message: _Message) -> None:
        usage, seen = message.usage or _Usage(), self._seen
        hour = usage.cache_creation.ephemeral_1h_input_tokens if usage.cache_creation else seen.cache_write_1h_tokens
        written = usage.cache_creation_input_tokens
        five = seen.cache_write_5m_tokens if written is None else max(0, written - hour)
        self._seen = CallUsage(
            model=message.model or seen.model,
            input_tokens=_told(usage.input_tokens, seen.input_tokens),
            output_tokens=_told(usage.output_tokens, seen.output_tokens),
            cache_write_5m_tokens=five,
            cache_write_1h_tokens=max(0, hour),
            cache_read_tokens=_told(usage.cache_read_input_tokens, seen.cache_read_tokens),
            web_searches=_told(
                usage.server_tool_use.web_search_requests if usage.server_tool_use else None, seen.web_searches
            ),
            fast=seen.fast or usage.speed == "fast",
            us_only=seen.us_only or usage.inference_geo == "us",
        )


def _told(said: int | None, before: int) -> int:
    """Return the newer of two counts; a later message may leave out a count, or say 0, when it has not changed."""
    return before if said is None else max(before, said)
