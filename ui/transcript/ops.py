"""The messages to the transcript in the browser: a few kinds of small changes to a list of keyed items."""

from typing import Final

import msgspec


class Op(msgspec.Struct, frozen=True, kw_only=True, tag_field="o", omit_defaults=True):
    """A change of an item. `key` names the item."""

    key: str


class PutItem(Op, frozen=True, kw_only=True, tag="put"):
    """Show `html` under this key: in its place if it exists, else before `before`, else at the end.

    `source` is the text that a copy gives; `live`: more of it will come.
    """

    html: str
    before: str = ""
    source: str = ""
    live: bool = False


class More(Op, frozen=True, kw_only=True, tag="more"):
    """Finished blocks of a text that is still being written; they stand before its tail."""

    html: str


class Tail(Op, frozen=True, kw_only=True, tag="tail"):
    """The whole unfinished end of a text."""

    html: str


class Raw(Op, frozen=True, kw_only=True, tag="raw"):
    """More characters for a tail that is too long to be sent again and again; `code`: they are inside a code block."""

    text: str
    code: bool = False


class Output(Op, frozen=True, kw_only=True, tag="output"):
    """The inside of a running command's output box: the whole end of its output."""

    html: str


class Drop(Op, frozen=True, kw_only=True, tag="drop"):
    """Remove the item."""


class Wrap(Op, frozen=True, kw_only=True, tag="wrap"):
    """Fold neighbouring items under one line, `html`."""

    html: str
    keys: tuple[str, ...]


AnyOp = PutItem | More | Tail | Raw | Output | Drop | Wrap
_encoder: Final = msgspec.json.Encoder()


def encode(ops: "list[AnyOp]") -> str:
    """Encode ops as JSON, which is also valid JavaScript."""
    return _encoder.encode(ops).decode()
