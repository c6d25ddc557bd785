"""The values inside events (core.domain.events), which also re-exports them: files, counts, questions, pictures."""

from typing import Literal

import msgspec


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file the user put into the agent's folder together with a message."""

    name: str
    path: str
    size_bytes: int = 0
    media_type: str = ""  # of a picture that the model is shown, as its bytes say


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one turn, as the CLI's result reports them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question of the tool AskUserQuestion; `options` are (label, description) pairs."""

    text: str
    header: str = ""
    options: tuple[tuple[str, str], ...] = ()
    many: bool = False


class TodoItem(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the agent's own checklist."""

    text: str
    status: Literal["later", "now", "done"] = "later"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that a tool returned, in base64. Both are a stranger's words until they are checked."""

    media_type: str
    data: str
