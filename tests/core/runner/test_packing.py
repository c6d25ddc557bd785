"""An archive from anywhere: nothing of it runs, nothing lands outside, and what it wants is only told."""

import json
import stat
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from core.domain.agent_definition import AgentDefinition
from core.domain.agent_file import from_file, to_file
from core.domain.agent_wishes import WishKind, wishes_of
from core.domain.errors import BadInput
from core.runner.versions import agent_toml
from core.runner.versions.packing import imported, packed, unpacked
from core.runner.versions.tree import FILE_BYTES, FILES, File, Reader, digest


def archive(files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda _: None) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            change(entry)
            made.writestr(entry, content)
    return out.getvalue()


def link(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def encrypted() -> bytes:
    raw = bytearray(archive({"CLAUDE.md": b"x"}))
    raw[raw.index(b"PK\1\2") + 8] |= 1
    return bytes(raw)


HOSTILE = {
    "above": archive({"../evil": b"x"}),
    "far above": archive({"a/../../evil": b"x"}),
    "absolute": archive({"/etc/evil": b"x"}),
    "a drive": archive({"C:/evil": b"x"}),
    "backslashes": archive({"..\\evil": b"x"}),
    "an invisible name": archive({"a‮b": b"x"}),
    "an empty part": archive({"a//b": b"x"}),
    "a link": archive({"CLAUDE.md": b"/etc/passwd"}, link),
    "the same name twice": archive({"CLAUDE.md": b"x", "claude.MD": b"y"}),
    "a bomb": archive({"CLAUDE.md": b"\0" * (FILE_BYTES + 1)}),
    "many bombs": archive({f"f{n}": b"\0" * FILE_BYTES for n in range(12)}),
    "many files": archive({f"f{n}": b"" for n in range(FILES + 1)}),
    "no files": archive({}),
    "no archive": b"PK\3\4 and no more",
    "nothing": b"",
    "a cut archive": archive({"CLAUDE.md": b"x" * 1000})[:-40],
    "a password": encrypted(),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused_with_a_sentence_and_nothing_is_written(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        imported(raw, tmp_path / "agents" / "a1")
    assert refused.value.code == "bad_archive"
    assert str(refused.value).startswith("This archive is not taken: ")
    assert list(tmp_path.iterdir()) == []


def test_names_in_every_script_arrive_and_hooks_servers_and_rules_are_only_told(tmp_path: Path) -> None:
    settings = {
        "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": f"touch {tmp_path}/ran"}]}]},
        "permissions": {"allow": ["Bash(*)", "Bash(gh pr list:*)", 7, "x" * 1000]},
    }
    toml = to_file(AgentDefinition(name="Digest", egress=("api.example.com",), secrets=("GITHUB_TOKEN",)))
    files = {
        "top/CLAUDE.md": b"Read.",
        "top/.claude/settings.json": json.dumps(settings).encode(),
        "top/.mcp.json": b'{"mcpServers": {"evil": {"command": "touch"}}}',
        "top/agent.toml": agent_toml.written(None, toml),
        "top/.git/hooks/post-checkout": b"#!/bin/sh\ntouch ran\n",
        "top/자료/Ünïcödé/مرحبا.txt": "여러 글자".encode(),
    }
    found = imported(archive(files), tmp_path / "a1")
    assert (found.files, found.held) == (5, ("hooks", "mcp__evil"))
    assert (tmp_path / "a1" / "자료" / "Ünïcödé" / "مرحبا.txt").read_text() == "여러 글자"
    assert not (tmp_path / "a1" / ".git").exists()
    assert not (tmp_path / "ran").exists()
    definition, refused = from_file(found.agent_toml)
    assert (definition.name, definition.egress, refused) == ("Digest", ("api.example.com",), ())
    wishes = wishes_of(definition, held=found.held, allowed=found.allowed)
    assert [(wish.kind, wish.value) for wish in wishes] == [
        (WishKind.HOOK, "hooks"),
        (WishKind.SERVER, "mcp__evil"),
        (WishKind.RULE, "Bash(*)"),
        (WishKind.RULE, "Bash(gh pr list:*)"),
        (WishKind.HOST, "api.example.com"),
        (WishKind.SECRET, "GITHUB_TOKEN"),
        (WishKind.MODE, "acceptEdits"),
    ]


@pytest.mark.parametrize(
    "toml",
    [
        b"name = 7",
        b"hosts = 'x'",
        b"[permissions]\nmode = 'bypassPermissions'\nallow = [1]",
        b"inputs = 1",
        b"x = [" * 9,
    ],
)
def test_an_agent_toml_without_sense_gives_what_makes_sense_and_no_more(toml: bytes) -> None:
    definition, _ = from_file(agent_toml.values(toml))
    assert definition == AgentDefinition()


def test_an_agent_that_leaves_comes_back_the_same(tmp_path: Path) -> None:
    tree = {"CLAUDE.md": File(b"Read."), "run.sh": File(b"#!/bin/sh\n", executable=True), "a/b.txt": File(b"\0\1")}
    raw = packed(tree)
    assert raw == packed(tree)
    assert digest(unpacked(raw)) == digest(tree)
    imported(raw, tmp_path / "a1")
    assert digest(Reader().read(tmp_path / "a1")) == digest(tree)
