"""The files that a person gives to the agent with a message: checked when it is said, read when the CLI gets it.

Pictures reach the model as pictures. All files are named in the message by their path, so that the agent's tools can
open them, too.
"""

import base64
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import structs

from core.domain.errors import BadInput, NotFound, PlatformError
from core.domain.events import Attachment, UserSaid
from core.domain.picture_kinds import PICTURE_BYTES, PICTURE_PIXELS, PictureKind, picture_kind
from core.runner.files.failures import told
from core.runner.files.paths import parts_of
from core.runner.files.reading import is_folder, open_to_read

MOST: Final = 10  # in one message
NAME_CHARS: Final = 200
PICTURES_BYTES: Final = 15_000_000  # in one message: a request has 32 MB at most, with all that was said before

Block = dict[str, Any]


class Message(NamedTuple):
    """A message for the CLI: its text, and the paths of the pictures in it, as seen from the agent's folder."""

    text: str
    pictures: tuple[str, ...] = ()


def message_of(said: UserSaid) -> Message:
    """Return a message as the CLI gets it: after the text the paths of all files."""
    named = [f"[Attached file: {' '.join(file.path.split())}]" for file in said.attachments]
    pictures = tuple(file.path for file in said.attachments if file.media_type)
    return Message("\n".join([said.text, *named] if said.text else named), pictures)


def check(attachments: tuple[Attachment, ...], folder: Path) -> tuple[Attachment, ...]:
    """Return the attachments with their true sizes and kinds. Reads the files: not on the event loop.

    Raises: BadInput: too many, too large, or a path that names no plain file of the folder.
    """
    if len(attachments) > MOST:
        raise BadInput(f"a message has at most {MOST} attachments", code="too_many_attachments")
    checked = tuple(_checked(one, folder) for one in attachments)
    if sum(one.size_bytes for one in checked if one.media_type) > PICTURES_BYTES:
        raise BadInput(f"pictures of a message have at most {PICTURES_BYTES} bytes together", code="picture_too_large")
    return checked


def content(message: Message, folder: Path) -> str | list[Block]:
    """Return the `content` of a user message. A picture that is not there any more is left out: its path is named."""
    blocks = [block for path in message.pictures if (block := _block(path, folder))]
    return [*blocks, {"type": "text", "text": message.text}] if blocks else message.text


def _checked(one: Attachment, folder: Path) -> Attachment:
    try:
        size, data = _read(one.path, folder)
    except PlatformError as error:
        raise BadInput(f"no file of the agent's folder: {error}", code="attachment_missing") from error
    name = os.path.basename(one.name or one.path)[:NAME_CHARS]
    kind = picture_kind(data)
    if kind and not _fits(kind, size):
        limits = f"{PICTURE_BYTES} bytes and {PICTURE_PIXELS} pixels a side"
        raise BadInput(f"a picture has at most {limits}", code="picture_too_large")
    return structs.replace(one, name=name, size_bytes=size, media_type=kind.media_type if kind else "")


def _fits(kind: PictureKind, size: int) -> bool:
    return size <= PICTURE_BYTES and max(kind.width, kind.height) <= PICTURE_PIXELS


def _block(path: str, folder: Path) -> Block | None:
    try:
        size, data = _read(path, folder)
    except PlatformError:
        return None
    kind = picture_kind(data)
    if kind is None or not _fits(kind, size):  # it was changed since
        return None
    source = {"type": "base64", "media_type": kind.media_type, "data": base64.b64encode(data).decode()}
    return {"type": "image", "source": source}


def _read(path: str, folder: Path) -> tuple[int, bytes]:
    """(size of the file, as much of it as a picture may have). Raises: PlatformError: there is no such plain file."""
    with told():
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            handle = open_to_read(root, parts_of(path))
        finally:
            os.close(root)
        with open(handle, "rb") as file:
            if is_folder(file.fileno()):
                raise NotFound("it is a folder")
            return os.fstat(file.fileno()).st_size, file.read(PICTURE_BYTES + 1)
