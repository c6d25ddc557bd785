"""What is sent to the transcript in the browser: a handful of small changes to a list of keyed items."""

from typing import Final

import msgspec


class Op(msgspec.Struct, frozen=True, kw_only=True, tag_field="o", omit_defaults=True):
    """One change. `key` names the item."""

    key: str


class PutItem(Op, frozen=True, kw_only=True, tag="put"):
    """Show `html` under this key: in its place if it is there already, else before `before`, else at the end.

    `source` is what a copy of it gives; `live` says that more of it will come.
    """

    html: str
    before: str = ""
    source: str = ""
    live: bool = False


class More(Op, frozen=True, kw_only=True, tag="more"):
    """Finished blocks of a text that is still being written; they push the tail away."""

    html: str


class Tail(Op, frozen=True, kw_only=True, tag="tail"):
    """The unfinished end of a text, all of it."""

    html: str


class Raw(Op, frozen=True, kw_only=True, tag="raw"):
    """More characters for a tail that is too long to be sent again and again; `code`: inside a code block."""

    text: str
    code: bool = False


class Output(Op, frozen=True, kw_only=True, tag="output"):
    """What a running command has printed lately, all of it: the inside of the item's output box."""

    html: str


class Drop(Op, frozen=True, kw_only=True, tag="drop"):
    """Take the item away."""


class Wrap(Op, frozen=True, kw_only=True, tag="wrap"):
    """Fold items that stand in a row under one line, `html`."""

    html: str
    keys: tuple[str, ...]


AnyOp = PutItem | More | Tail | Raw | Output | Drop | Wrap
_encoder: Final = msgspec.json.Encoder()


def encode(ops: "list[AnyOp]") -> str:
    """JSON, and as such also JavaScript."""
    return _encoder.encode(ops).decode()
