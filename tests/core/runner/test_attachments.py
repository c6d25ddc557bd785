"""Files that are given to the agent with a message: what reaches the model, and what is refused."""

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from core.domain.events import TurnFinished, UserSaid
from core.domain.picture_kinds import PICTURE_BYTES, picture_kind
from core.runner.attachments import MOST
from tests.core.runner.box import Box, Talker


def png(width: int = 2, height: int = 2, *, extra: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))))
    return b"\x89PNG\r\n\x1a\n" + head + rows + (chunk(b"tEXt", b"x" * extra) if extra else b"") + chunk(b"IEND", b"")


JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    + b"\xff\xc0\x00\x11\x08\x00\x03\x00\x05\x03"
    + b"\0" * 20
)
GIF = b"GIF89a\x07\x00\x09\x00" + b"\0" * 20
WEBP = b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x1f\0\0" + b"\0" * 20


async def say(session: Talker, text: str, *paths: str, message_id: str = "m") -> dict[str, Any]:
    files = [{"name": path.rpartition("/")[2], "path": path, "media_type": "image/png"} for path in paths]
    body = {"message_id": message_id, "text": text, "attachments": files}
    return await session.box.call("POST", session.path + "/messages", body)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(3, 4), ("image/png", 3, 4)),
        (JPEG, ("image/jpeg", 5, 3)),
        (GIF, ("image/gif", 7, 9)),
        (WEBP, ("image/webp", 16, 32)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff" + b"\xff" * 50, None),
        (png(0, 4), None),
    ],
)
def test_a_picture_is_known_by_its_bytes(data: bytes, kind: tuple[str, int, int] | None) -> None:
    assert picture_kind(data) == kind


async def test_pictures_reach_the_model_as_pictures_and_other_files_by_their_path(tmp_path: Path) -> None:
    picture = png()
    async with Box(tmp_path) as box:
        session = await box.session()
        uploads = session.folder / "uploads"
        uploads.mkdir(parents=True)
        (uploads / "시안.png").write_bytes(picture)
        (uploads / "fake.png").write_bytes(b"no picture at all")
        (uploads / "notes.txt").write_text("hello")
        async with session.watch() as watch:
            paths = ("uploads/시안.png", "uploads/fake.png", "uploads/notes.txt")
            first = await say(session, "SAY(((seen)))", *paths)
            await watch.until(TurnFinished)
            (uploads / "notes.txt").unlink()
            assert await say(session, "SAY(((seen)))", *paths) == first, "sent once more, it changes nothing"
            assert (await say(session, "", "uploads/시안.png", message_id="n"))["status"] == 200, "needs no words"
            await watch.until(TurnFinished)
        said = [event for event in await session.stored() if isinstance(event, UserSaid)]
    contents = [message["content"] for message in box.model.turns[0].body["messages"]]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    shown = [block["source"] for block in blocks if block["type"] == "image"]
    assert [(one["media_type"], base64.b64decode(one["data"])) for one in shown] == [("image/png", picture)]
    text = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    assert all(f"[Attached file: {path}]" in text for path in paths)
    kept = [(one.name, one.size_bytes, one.media_type) for one in said[0].attachments]
    assert kept == [("시안.png", len(picture), "image/png"), ("fake.png", 17, ""), ("notes.txt", 5, "")]


async def test_what_is_no_file_of_the_folder_or_too_large_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("other people's")
    async with Box(tmp_path) as box:
        session = await box.session()
        session.folder.mkdir(exist_ok=True)
        (session.folder / "out").symlink_to(tmp_path / "secret")
        (session.folder / "large.png").write_bytes(png(extra=PICTURE_BYTES))
        (session.folder / "wide.png").write_bytes(png(8001, 1))
        (session.folder / "sub").mkdir()
        for path in ("gone.txt", "out", "../../../secret", str(tmp_path / "secret"), "sub", "a\0b"):
            assert (await say(session, "x", path))["code"] == "attachment_missing", path
        for path in ("large.png", "wide.png"):
            assert (await say(session, "x", path))["code"] == "picture_too_large", path
        (session.folder / "ok.txt").write_text("x")
        assert (await say(session, "x", *["ok.txt"] * (MOST + 1)))["code"] == "too_many_attachments"
        (session.folder / "half.png").write_bytes(png(extra=PICTURE_BYTES - 1000))
        assert (await say(session, "x", *["half.png"] * 5))["code"] == "picture_too_large", "together"
        assert not [event for event in await session.stored() if isinstance(event, UserSaid)]
