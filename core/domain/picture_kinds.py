"""The kind and size of a picture, read from its bytes: a file's name proves nothing."""

import struct
from typing import Final, NamedTuple

# As the Messages API takes a picture: 5 MB in base64, 8,000 pixels a side.
PICTURE_BYTES: Final = 3_750_000
PICTURE_PIXELS: Final = 8_000
_JPEG_NO_SIZE = frozenset({0xC4, 0xC8, 0xCC})  # among 0xC0 to 0xCF these markers are no frame header


class PictureKind(NamedTuple):
    """The media type of a picture, and its size in pixels."""

    media_type: str
    width: int
    height: int


def picture_kind(data: bytes) -> PictureKind | None:
    """Return the kind of a PNG, JPEG, GIF or WebP; None for everything else, and for one without a size."""
    found = _png(data) or _gif(data) or _webp(data) or _jpeg(data)
    return found if found and found.width > 0 and found.height > 0 else None


def _png(data: bytes) -> PictureKind | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return PictureKind("image/png", *struct.unpack(">II", data[16:24]))


def _gif(data: bytes) -> PictureKind | None:
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 10:
        return None
    return PictureKind("image/gif", *struct.unpack("<HH", data[6:10]))


def _webp(data: bytes) -> PictureKind | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return PictureKind("image/webp", width & 0x3FFF, height & 0x3FFF)
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return PictureKind("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
            return PictureKind("image/webp", width, height)
    return None


def _jpeg(data: bytes) -> PictureKind | None:
    """Walk over the segments to the first frame header, which has the size."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_SIZE:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return PictureKind("image/jpeg", width, height)
        at += 1 if marker == 0xFF else 2 + max(length, 2)
    return None
