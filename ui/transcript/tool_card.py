"""One act of the agent: a call of a tool and what became of it, as a line that opens for detail."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any, Final

import msgspec

from core.domain.events import Answered, Asked, Decided, ToolCalled, ToolReturned, TurnFinished
from ui.layout.i18n import Translations
from ui.transcript import ansi, diff, tool_labels
from ui.transcript.markdown import code_block

HEAD_CHARS: Final = 2_000  # of a tool's output
TAIL_CHARS: Final = 1_000  # and of its end, where errors stand; what is between is said to be there
LIVE_CHARS: Final = 4_000  # of the end of what a running command has printed
FIELD_CHARS: Final = 1_000
DIFF_LINES: Final = 200
OPEN_LINES: Final = 14  # details of up to this many lines are shown at once
POLICIES: Final = frozenset({"reading", "edits", "rule", "mode", "size"})  # of core.domain.events.Decided
ICONS: Final = {"failed": "alert", "denied": "x", "waiting": "shield", "stopped": "stop"}


class ToolCard(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool and what became of it."""

    call: ToolCalled
    result: ToolReturned | None = None
    waiting: bool = False
    asked: Asked | None = None
    answered: Answered | None = None
    decided: Decided | None = None  # what the platform decided about it without a person
    output: str = ""  # the end of what it has printed while it runs
    skipped: int = 0
    ended: TurnFinished | None = None  # the end of the turn, if the tool had not finished by itself before it

    @property
    def state(self) -> str:
        """running, waiting, ok, failed, denied or stopped."""
        if self.answered is not None and self.answered.decision == "deny":
            return "stopped" if self.answered.by == "stop" else "denied"
        if self.decided is not None and self.decided.decision == "deny":
            return "denied"
        if self.result is not None:
            return "ok" if self.result.ok else "stopped" if self.result.stopped else "failed"
        return "stopped" if self.ended else "waiting" if self.waiting else "running"

    @property
    def target(self) -> str:
        """What it is about, in full."""
        return tool_labels.target(self.call.name, self.call.input)

    @property
    def began(self) -> datetime | None:
        """When the tool could begin: a person's thinking is not its time."""
        at = (self.answered or self.call).at
        return at if isinstance(at, datetime) else None

    @property
    def took_s(self) -> float:
        """Seconds until the result."""
        if self.result is None or self.began is None or not isinstance(self.result.at, datetime):
            return 0.0
        return max(0.0, (self.result.at - self.began).total_seconds())


def step(act: ToolCard, words: Translations) -> str:
    """Its line, and what is under it."""
    call, state = act.call, act.state
    kind = tool_labels.kind(call.name)
    verb = words.t(f"act.{kind.verb}")
    if state in ("failed", "denied") and not (act.answered and state == "denied"):
        verb = words.t(f"act.{state}", verb=verb)
    body, lines = _details(act, words)
    opened = " open" if body and _is_open(act, lines) else ""
    shown = tool_labels.visible(act.target)
    named = " named" if call.name == tool_labels.DRAFT else ""
    line = (
        f'{icon(ICONS.get(state, kind.icon))}<span class="v nowrap">{escape(verb)}</span>'
        f'<span class="o cut{named}" title="{escape(cut(shown, 400))}">'
        f"{escape(tool_labels.short(shown), quote=False)}</span>"
        f"{_counts(call, words)}{_decision(act, words)}{_end(act, words)}{icon('right', 'chev')}"
    )
    classes = "step nested" if call.parent else "step"
    fail = " fail" if state == "failed" else ""
    return (
        f'<details class="{classes}" data-testid="tool-call" data-state="{state}"{opened}>'
        f'<summary class="act{fail}">{line}</summary><div class="detail">{body}</div></details>'
    )


def _is_open(act: ToolCard, lines: int) -> bool:
    """Whether the detail, `lines` long, is shown without being asked for."""
    match act.state:
        case "failed":
            return True
        case "running":
            return bool(act.output)
        case "ok":
            return 0 < lines <= OPEN_LINES
    return False


def run(done: Iterable[ToolCard], words: Translations) -> str:
    """The line under which finished acts are folded: 7단계 · 12초, and what they were."""
    done = list(done)
    took = words.lasting(sum(act.took_s for act in done))
    kinds = Counter(tool_labels.kind(act.call.name).verb for act in done)
    parts = [words.t(f"run.{verb}", n=n) for verb, n in kinds.most_common() if words.has(f"run.{verb}")]
    return (
        f'{icon("right", "chev")}<span class="v nowrap">{escape(words.t("run.steps", n=len(done), took=took))}</span>'
        f'<span class="cut">{escape(", ".join(parts))}</span>'
    )


def decided(asked: Asked, answer: Answered, words: Translations) -> str:
    """What was decided, in a word or two."""
    if answer.by == "stop":
        return words.t("answered.by_stop")
    return words.t(f"answered.{asked.kind}.{answer.decision}")


def who(answer: Answered, words: Translations) -> str:
    """Who decided, and when."""
    clock = words.clock(answer.at) if isinstance(answer.at, datetime) else ""
    if answer.by == "stop":
        return clock
    by = words.t("answered.by_rule" if answer.by.startswith("rule") else "answered.by_you")
    return f"{by} · {clock}" if clock else by


def fields(given: dict[str, Any]) -> list[tuple[str, str]]:
    """A tool's input as names and values: strings as they are, the rest as JSON."""
    encode = msgspec.json.encode
    return [(key, value if isinstance(value, str) else encode(value).decode()) for key, value in given.items()]


def icon(name: str, more: str = "") -> str:
    """An icon, for the eye only."""
    return f'<i class="{f"ic ic-{name} {more}".strip()}" aria-hidden="true"></i>'


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, and a sign that there are more."""
    return text if len(text) <= limit else text[:limit] + "…"


def _details(act: ToolCard, words: Translations) -> tuple[str, int]:
    """(html, number of lines) of what is under the line."""
    call, result = act.call, act.result
    state = act.state
    parts: list[str] = []
    count = 0
    if call.name in tool_labels.EDITING:
        shown = diff.near(_changed(call))
        count += len(shown)
        parts.append(diff.html(shown[:DIFF_LINES]))
        if (left := len(shown) - DIFF_LINES) > 0:
            parts.append(f'<p class="meta">{escape(words.t("act.rest_lines", n=left))}</p>')
    elif call.name == "Bash" and "\n" in act.target.strip():
        parts.append(code_block(act.target, "bash"))
        count += act.target.count("\n") + 1
    elif call.name == tool_labels.DRAFT:
        said = str(call.input.get("description", ""))
        parts.append(f'<p class="meta about">{escape(cut(said, FIELD_CHARS), quote=False)}</p>' if said else "")
        count += 1
    elif call.name not in tool_labels.KINDS:
        parts.append(_rows(call.input))
        count += OPEN_LINES + 1
    if state == "running" and act.output:
        parts.append(f'<div class="out live" data-testid="live-output" dir="ltr">{running_output(act)}</div>')
    if result is not None and _tells(act, result):
        parts.append(_output(result, words))
        count += result.content.strip().count("\n") + 1 if call.name == "Bash" else OPEN_LINES + 1
    return "".join(parts), count


def _tells(act: ToolCard, result: ToolReturned) -> bool:
    """Whether a reader learns something from the result. That of a denied call repeats the denial to the model."""
    quiet = act.state == "denied" or (act.call.name in tool_labels.QUIET and result.ok)
    return bool(result.content.strip()) and not quiet


def _output(result: ToolReturned, words: Translations) -> str:
    """Its beginning and its end; what is left out, here or before it was stored, is counted."""
    text = result.content.strip("\n")
    head, tail, left = ansi.cut(text, HEAD_CHARS, TAIL_CHARS)
    left += max(0, result.full_size - len(result.content))
    rest = (
        f'<span class="rest">{words.t("act.rest", n=left, all=words.number(result.full_size))}</span>' if left else ""
    )
    fail = "" if result.ok or result.stopped else " fail"
    parts = (rest, head, tail) if result.stopped else (head, rest, tail)  # of a stopped command the end is stored
    return f'<div class="out{fail}" dir="ltr">{"".join(parts)}</div>'


def running_output(act: ToolCard) -> str:
    """The inside of the box in which a running command prints."""
    _, tail, _ = ansi.cut(act.output, 0, LIVE_CHARS)
    return tail or ansi.render(act.output)


def _rows(given: dict[str, Any]) -> str:
    rows = (
        f"<div><dt>{escape(key)}</dt><dd>{escape(tool_labels.visible(cut(value, FIELD_CHARS)), quote=False)}</dd></div>"
        for key, value in fields(given)
    )
    return f'<dl class="fields">{"".join(rows)}</dl>' if given else ""


def _changed(call: ToolCalled) -> list[diff.Line]:
    return diff.changes(call.name, call.input)


def _counts(call: ToolCalled, words: Translations) -> str:
    if call.name not in tool_labels.EDITING:
        return ""
    if call.cut:  # nothing can be counted in what is kept of it
        return f'<span class="nowrap">{escape(words.t("act.cut"))}</span>'
    added, gone = diff.counts(_changed(call))
    minus = f' <span class="bad">−{gone}</span>' if gone else ""
    return f'<span class="nowrap"><span class="ok">+{added}</span>{minus}</span>'


def _decision(act: ToolCard, words: Translations) -> str:
    """Who let it do this or did not, with the rule that came of it or what was said."""
    asked, answer = act.asked, act.answered
    if act.decided is not None:
        return _policy(act.decided, words)
    if asked is None or answer is None or answer.by == "stop":
        return ""
    state = "denied" if answer.decision == "deny" else "allowed"
    rule = (
        f'<code class="rule">{escape(tool_labels.visible(answer.rule))}</code>'
        if answer.decision == "allow_always"
        else ""
    )
    note = f'<span class="word">“{escape(cut(answer.message, 400), quote=False)}”</span>' if answer.message else ""
    told = escape(f"{decided(asked, answer, words)} · {who(answer, words)}".removesuffix(" · "))
    return (
        f'<span class="decision" data-testid="{asked.kind}" data-state="{state}"><span>{told}</span>{rule}{note}</span>'
    )


def _policy(decided: Decided, words: Translations) -> str:
    """What let it pass without a question, or refused it."""
    rule = f'<code class="rule">{escape(tool_labels.visible(decided.rule))}</code>' if decided.rule else ""
    state = "denied" if decided.decision == "deny" else "allowed"
    told = escape(words.t(f"decided.{decided.by}") if decided.by in POLICIES else decided.by)
    return f'<span class="decision" data-testid="policy" data-state="{state}"><span>{told}</span>{rule}</span>'


def _end(act: ToolCard, words: Translations) -> str:
    if act.state in ("waiting", "running"):
        since = act.began.isoformat() if act.began else ""
        waiting = f'<span class="end warn">{words.t("act.waiting")}</span>'
        return waiting if act.waiting else f'<span class="end" data-since="{since}"></span>'
    parts = [words.lasting(act.took_s)] if act.took_s >= 0.05 else []
    if act.state == "stopped":
        by_user = act.ended is not None and act.ended.reason == "stopped_by_user"
        parts.insert(0, words.t("act.stopped_by_you" if by_user else "act.stopped"))
    return f'<span class="end">{escape(" · ".join(parts))}</span>'
