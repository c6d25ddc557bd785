"""Decides how a file is shown, by its name and first bytes. Files that are not known to be safe can only be kept."""

from typing import Final, Literal

Kind = Literal["markdown", "table", "html", "image", "text", "binary"]

SHOWN_BYTES: Final = 1024 * 1024  # what the editor opens; of larger texts the beginning is shown
PICTURES: Final = frozenset("png jpg jpeg gif webp svg".split())
KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(PICTURES, "image"),
    **dict.fromkeys("md markdown".split(), "markdown"),
    **dict.fromkeys("csv tsv".split(), "table"),
    **dict.fromkeys("html htm xhtml".split(), "html"),
}
# Names of the editor's languages, by the ends of file names.
LANGUAGES: Final = {
    "py": "Python",
    "js": "JavaScript",
    "mjs": "JavaScript",
    "ts": "TypeScript",
    "tsx": "TSX",
    "jsx": "JSX",
    "json": "JSON",
    "jsonl": "JSON",
    "md": "Markdown",
    "html": "HTML",
    "htm": "HTML",
    "css": "CSS",
    "scss": "SCSS",
    "sh": "Shell",
    "bash": "Shell",
    "toml": "TOML",
    "yaml": "YAML",
    "yml": "YAML",
    "xml": "XML",
    "svg": "XML",
    "sql": "SQL",
    "go": "Go",
    "rs": "Rust",
    "java": "Java",
    "kt": "Kotlin",
    "c": "C",
    "h": "C",
    "cpp": "C++",
    "cs": "C#",
    "rb": "Ruby",
    "php": "PHP",
    "swift": "Swift",
    "ini": "Properties files",
    "diff": "diff",
    "dockerfile": "Dockerfile",
}


def end_of(name: str) -> str:
    """The part of a file's name that says what it is: `py` of `a.py`, `dockerfile` of `Dockerfile`."""
    return name.rpartition("/")[2].rpartition(".")[2].lower()


def kind_of(name: str, data: bytes) -> Kind:
    """Return how the file with this name and beginning is shown."""
    kind = KINDS.get(end_of(name), "text")
    if kind == "image":
        return kind
    return "binary" if b"\0" in data[:8192] or data.startswith(b"%PDF") else kind


def language_of(name: str) -> str | None:
    return LANGUAGES.get(end_of(name))


class Text:
    """The content of a text file as an editor holds it. `editable` is False if saving would change what is not seen."""

    def __init__(self, data: bytes, *, cut: bool) -> None:
        try:
            text, clean = data.decode(), True
        except UnicodeDecodeError:
            text, clean = data.decode(errors="replace"), False
        self._crlf = "\r\n" in text and "\r" not in text.replace("\r\n", "") and text.count("\n") == text.count("\r\n")
        self.editable = clean and not cut and (self._crlf or "\r" not in text) and "\u2028" not in text
        self.value = text.replace("\r\n", "\n") if self._crlf else text

    def encode(self, value: str) -> bytes:
        """`value` as it is written, with the line ends that the file had."""
        return (value.replace("\n", "\r\n") if self._crlf else value).encode("utf-8", "surrogatepass")
