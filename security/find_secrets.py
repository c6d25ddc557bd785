"""Look for keys in everything that git has or would take, and in everything this branch ever had: `make secrets`.

The same patterns as core.observability.secret_patterns masks in logs.
What a test made up says so by one of the words in MADE_UP.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from core.observability.secret_patterns import KEYS

ROOT = Path(__file__).resolve().parents[1]
MADE_UP = ("canary", "example", "not-a-key")
SHORTEST = {"private key": 160}  # its frame alone is in every text about keys; the smallest real one has 200
SHOWN = 8  # characters of a finding: enough to find it, too few to use it


def in_text(text: str) -> Iterator[tuple[int, str]]:
    """Line number and what it is of every key in `text`."""
    for shape in KEYS:
        if not any(word in text for word in shape.words):
            continue
        for match in shape.pattern.finditer(text):
            if not any(word in match[0] for word in MADE_UP) and len(match[0]) >= SHORTEST.get(shape.name, 0):
                yield text.count("\n", 0, match.start()) + 1, f"{shape.name} {match[0][:SHOWN]}…"


def in_tree(root: Path) -> Iterator[str]:
    """Findings in the files that are tracked, and those that `git add` would take."""
    for name in _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        path = root / name
        if name and path.is_file() and not path.is_symlink():
            text = path.read_text(errors="replace")
            yield from (f"{name}:{line}: {what}" for line, what in in_text(text))


def in_history(root: Path) -> Iterator[str]:
    """Findings in what any commit of this branch added, though a later one took it away again."""
    for patch in _git(root, "log", "-p", "--unified=0", "--no-color", "--no-ext-diff", "--format=%x00%h").split("\0"):
        commit, _, body = patch.partition("\n")
        added = "\n".join(line[1:] for line in body.splitlines() if line.startswith("+") and line[:4] != "+++ ")
        yield from (f"commit {commit}: {what}" for _, what in in_text(added))


def _git(root: Path, *words: str) -> str:
    # replaced, not refused: a file in an old encoding may hold a key as well
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True).stdout.decode(errors="replace")


def main(root: Path) -> int:
    """0: none; 1: each on a line of its own."""
    found = list(dict.fromkeys([*in_tree(root), *in_history(root)]))
    print("\n".join(found) if found else "no secrets in the tree, none in the history of this branch")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
