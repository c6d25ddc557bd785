"""An open request in the form that the card above the composer needs: plain values, which the page sets as
text only.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from core.domain.events import Asked
from ui.layout.i18n import Translations
from ui.transcript import diff, markdown, tool_labels
from ui.transcript.platform_forms import Form, form_of
from ui.transcript.tool_details import fields

AGENT_FOLDER: Final = re.compile(r"^~/agents/[a-z0-9]+")
TITLES: Final = frozenset("run write edit read find search list fetch websearch".split())
NO_RULES: Final = frozenset({"long", "signs", "tool"})  # of Asked.no_rule
REASONS: Final = ("description",)  # the model's own words inside a tool's input


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A question with its options."""

    text: str
    header: str
    options: tuple[tuple[str, str], ...]
    many: bool


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """An open request. `command`, `lines` and `rows` come from the platform and are exact; `reason` is the model's
    text.
    """

    id: str
    kind: str
    title: str
    since: str = ""
    parked: bool = False
    command: str = ""
    path: str = ""
    lines: tuple[diff.Line, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    folder: str = ""
    rule: str = ""
    no_rule: str = ""  # why no rule is offered, as a sentence
    plan: str = ""
    questions: tuple[Choice, ...] = ()
    form: Form | None = None


def card(
    asked: Asked, *, parked: bool, words: Translations, folder: str = "", render: Callable[[str], str] = markdown.render
) -> RequestView:
    """Return the card of this request; `folder` is the place if the request names none."""
    base = RequestView(
        id=asked.request_id,
        kind=asked.kind,
        title=_title(asked, words),
        since=asked.at.isoformat() if isinstance(asked.at, datetime) else "",
        parked=parked,
        folder=_folder(_near_folder(asked.folder) or folder, words),
    )
    if asked.kind == "question":
        return msgspec.structs.replace(base, questions=tuple(_choice(asked)))
    if asked.kind == "plan":
        return msgspec.structs.replace(base, plan=render(asked.plan))
    if form := form_of(asked, words):
        return msgspec.structs.replace(base, title=form.title, form=form)
    return _permission(base, asked, words)


def _permission(base: RequestView, asked: Asked, words: Translations) -> RequestView:
    given = dict(asked.input)
    reason = asked.reason or next((str(given[key]) for key in REASONS if key in given), "")
    if reason.strip() in [str(value).strip() for key, value in given.items() if key not in REASONS]:
        reason = ""  # the CLI's summary of the input, and nothing that Claude wrote
    rest = {key: value for key, value in given.items() if key not in REASONS}
    command = path = ""
    lines: list[diff.Line] = []
    if asked.tool == "Bash":
        command = str(rest.pop("command", ""))
    elif asked.tool in tool_labels.EDITING:
        path = tool_labels.visible(tool_labels.target(asked.tool, given))
        lines = diff.changes(asked.tool, given)
        rest = {key: value for key, value in rest.items() if key not in _SHOWN_AS_DIFF}
    elif asked.tool == "Read":
        path = tool_labels.visible(tool_labels.target(asked.tool, given))
        rest.pop("file_path", None)
    shown = [diff.Line(line.kind, tool_labels.visible(line.text)) for line in lines]
    return msgspec.structs.replace(
        base,
        command=tool_labels.visible(command),
        path=path,
        lines=tuple(shown),
        rows=tuple((tool_labels.visible(key), tool_labels.visible(value)) for key, value in fields(rest, words)),
        reason=reason,
        rule=asked.rule,
        no_rule="" if asked.rule else words.t(f"card.no_rule_{asked.no_rule if asked.no_rule in NO_RULES else 'tool'}"),
    )


_SHOWN_AS_DIFF: Final = frozenset(
    {"file_path", "notebook_path", "content", "old_string", "new_string", "new_source", "edits"}
)


def _title(asked: Asked, words: Translations) -> str:
    if asked.kind != "permission":
        return words.t(f"ask.{asked.kind}")
    verb = tool_labels.kind(asked.tool).verb
    if verb in TITLES:
        return words.t(f"ask.{verb}")
    return words.t("ask.use", tool=tool_labels.visible(tool_labels.target(asked.tool, {}) or asked.tool))


def _choice(asked: Asked) -> list[Choice]:
    return [Choice(text=q.text, header=q.header, options=q.options, many=q.many) for q in asked.questions]


def _folder(path: str, words: Translations) -> str:
    """Return the path with the agent's own folder called so, because its name on the disk is a random id."""
    return AGENT_FOLDER.sub(words.t("ask.agent_folder"), path)


def _near_folder(folder: str) -> str:
    return tool_labels.visible(tool_labels.HOME.sub("~/", folder))
