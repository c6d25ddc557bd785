"""The catalogues and the code that speaks them hold each other: nothing missing, nothing left over, no other words."""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from ui.layout.i18n import LOCALES, merged

UI = Path(__file__).parents[2] / "ui"
KEY = re.compile(r"[a-z_]+\.[a-z0-9_.]*[a-z0-9]")
MADE = re.compile(r"[a-z_]+\.[a-z0-9_.]*(\0[a-z0-9_.]*)+")  # gaps after the family
PLACE = re.compile(r"\{([a-z_]*)(?::[^{}]*)?\}")  # `{name:을/를}` is the place `name`
HANGUL = re.compile(r"[가-힣]")
SENTENCE = re.compile(r"^[A-Z][a-z]+( [a-z]+){2,}|^[A-Z][a-z]+ [a-z]+[.?]$")
BETWEEN_MACHINES = {"gap", "seq_taken", "misconfigured", "bad_token", "bound", "dormant", "busy", "stopping"}
SOURCES = sorted(path for path in UI.rglob("*.py") if "__pycache__" not in path.parts)
COMPLETING = (
    "domain/agent_definition.py",
    "domain/agent_inputs.py",
    "domain/agent_wishes.py",
    "domain/states.py",
    "domain/model_connection.py",
    "domain/notifications.py",
    "domain/runs.py",
    "domain/schedules.py",
    "domain/limits.py",
    "domain/events.py",
    "domain/unasked_commands.py",
    "runner/conversation.py",
    "runner/session.py",
    "runner/stream_json.py",
    "runner/routes/control.py",
    "runner/routes/sessions.py",
    "runner/sessions.py",
    "runner/log.py",
    "runner/log_repair.py",
    "spawner/isolation_report.py",
    "spawner/__init__.py",
    "spawner/kubernetes.py",
    "spawner/kubernetes_view.py",
    "runner/outbox.py",
    "runner/journal.py",
    "gateway/sanitize.py",
    "gateway/metering/limits.py",
)
VALUES = [UI.parent / "core" / name for name in COMPLETING]  # whose choices and notices complete keys


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """A source's syntax tree, flat."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def keys(locale: str) -> dict[str, Message]:
    return {m.id if isinstance(m.id, str) else m.id[0]: m for m in merged(locale) if m.id}


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def strings(sources: Iterable[Path] = SOURCES) -> list[tuple[Path, ast.AST, str]]:
    """All string literals but docstrings; the constant parts of f-strings too."""
    found = []
    for path in sources:
        docs = {
            id(node.body[0].value)
            for node in nodes(path)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        docs |= {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
        found += [
            (path, node, node.value)
            for node in nodes(path)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        ]
    return found


def whole_keys() -> set[str]:
    """Keys (and families of codes) that the code names in full."""
    files = (".js", ".py", ".css", ".svg")
    return {text for _, _, text in strings() if KEY.fullmatch(text) and not text.endswith(files)}


def made_keys() -> list[re.Pattern[str]]:
    """Patterns of keys that the code puts together: f"dashboard.filter_{id}" is `dashboard\\.filter_([a-z0-9_]+)`."""
    found = []
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.JoinedStr):
                parts = [str(p.value) if isinstance(p, ast.Constant) else "\0" for p in node.values]
                if MADE.fullmatch(text := "".join(parts)):
                    found.append(re.compile(re.escape(text).replace("\0", "([a-z0-9_]+)")))
    return found


def code_families() -> tuple[str, ...]:
    """Families of `words.code(family, …)`: their codes come from elsewhere, and no literal of ours names them."""
    found = set()
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "code":
                first = node.args[0] if node.args else None
                start = first.values[0] if isinstance(first, ast.JoinedStr) else first
                if isinstance(start, ast.Constant):
                    found.add(f"{str(start.value).rstrip('.')}.")
    return tuple(found)


def test_both_languages_have_the_same_keys_with_the_same_places() -> None:
    korean, english = keys("ko"), keys("en")
    assert korean.keys() == english.keys()
    for key, message in korean.items():
        places = {place for text in texts(message) for place in PLACE.findall(text)}
        assert places == {place for text in texts(english[key]) for place in PLACE.findall(text)}, key


@pytest.mark.parametrize("locale", LOCALES)
def test_no_sentence_is_empty(locale: str) -> None:
    assert [key for key, message in keys(locale).items() if not all(texts(message))] == []


def test_every_key_that_the_code_says_is_in_the_catalogues() -> None:
    known = keys("ko")
    families = {key.split(".")[0] for key in known}
    missing = [key for key in whole_keys() if key.split(".")[0] in families and not there(key, known)]
    assert missing == []
    assert [made.pattern for made in made_keys() if not any(made.fullmatch(key) for key in known)] == []


def there(key: str, known: dict[str, Message]) -> bool:
    return key in known or any(other.startswith(f"{key}.") for other in known)


def test_every_key_of_the_catalogues_is_said_somewhere() -> None:
    whole, made, families = whole_keys(), made_keys(), code_families()
    texts = strings([*SOURCES, *VALUES])
    said = {word for _, _, text in texts for word in re.findall(r"[a-z0-9_]+", text)}

    def is_said(key: str) -> bool:
        matches = [match for pattern in made if (match := pattern.fullmatch(key))]
        return key in whole or any(said.issuperset(match.groups()) for match in matches)

    assert [key for key in keys("ko") if not key.startswith(families) and not is_said(key)] == []


def test_korean_is_written_as_we_write_it() -> None:
    for key, message in keys("ko").items():
        for text in texts(message):
            assert not re.search(r"!|죄송|습니다|하십시오|컨테이너", text), f"{key}: {text}"


def test_english_is_written_as_we_write_it() -> None:
    for key, message in keys("en").items():
        for text in texts(message):
            assert not re.search(r"!|\b(sorry|oops|please|container)\b", text, re.IGNORECASE), f"{key}: {text}"


def test_no_sentence_is_written_in_the_code() -> None:
    found = [
        f"{path.relative_to(UI)}:{node.lineno}: {text[:60]}"  # type: ignore[attr-defined]
        for path, node, text in strings()
        if (HANGUL.search(text) or SENTENCE.search(text)) and text not in {"가", "힣"}
    ]
    assert found == []


def test_every_error_that_can_reach_a_page_has_a_sentence() -> None:
    core = UI.parent / "core"
    sources = [core / "domain" / "errors.py", core / "domain" / "host_patterns.py"]
    sources += [core / "services" / "agents.py", core / "services" / "conversations.py"]
    sources += [core / "fleet" / "runner_pool.py", core / "fleet" / "runner_client.py"]
    sources += sorted((core / "runner").glob("*.py"))
    said = {
        code for path in sources for code in re.findall(r'\bcode(?:, status)? ?= ?"([a-z_]+)"', path.read_text("utf-8"))
    }
    assert {code for code in said - BETWEEN_MACHINES if f"error.{code}" not in keys("ko")} == set()
