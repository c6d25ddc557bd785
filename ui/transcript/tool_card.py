"""The card of a tool call: a line about what it does and how it went, which opens for details."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Final

from core.domain.events import Answered, Asked, Decided, ToolCalled, TurnFinished
from ui.layout.i18n import Translations
from ui.transcript import diff, tool_labels, verdict
from ui.transcript.icons import icon
from ui.transcript.tool_call import ToolCallView
from ui.transcript.tool_details import OPEN_LINES, cut, details

POLICIES: Final = frozenset({"reading", "edits", "rule", "mode", "size"})  # of core.domain.events.Decided
ICONS: Final = {"failed": "alert", "denied": "x", "waiting": "shield", "stopped": "stop"}


def step(act: ToolCallView, words: Translations) -> str:
    """Draw a call: its line, and the details under it."""
    call, state = act.call, act.state
    kind = tool_labels.kind(call.name)
    verb = words.t(f"act.{kind.verb}")
    if state in ("failed", "denied") and not (act.answered and state == "denied"):
        verb = words.t(f"act.{state}", verb=verb)
    body, lines = details(act, words)
    body += _steps(act, words)
    if report := verdict.report_of(act.result) if call.name == tool_labels.TRY else None:
        body, lines = verdict.head(report.results, words) + verdict.cards(report.results, words), 1
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


def _steps(act: ToolCallView, words: Translations) -> str:
    """Draw the steps of a sub-agent, each as a card of its own."""
    if not act.steps:
        return ""
    earlier = f'<p class="meta about">{words.t("act.earlier_steps", n=act.earlier)}</p>' if act.earlier else ""
    return f'<div class="steps">{earlier}{"".join(step(one, words) for one in act.steps)}</div>'


def _is_open(act: ToolCallView, lines: int) -> bool:
    """True if the detail, `lines` long, is shown without a click."""
    match act.state:
        case "failed":
            return True
        case "running":
            return bool(act.output or act.steps)
        case "ok":
            return 0 < lines <= OPEN_LINES
    return False


def run(done: Iterable[ToolCallView], words: Translations) -> str:
    """Draw the line under which finished calls are folded: 7단계 · 12초, and their kinds."""
    done = list(done)
    took = words.lasting(sum(act.took_s for act in done))
    kinds = Counter(tool_labels.kind(act.call.name).verb for act in done)
    parts = [words.t(f"run.{verb}", n=n) for verb, n in kinds.most_common() if words.has(f"run.{verb}")]
    return (
        f'{icon("right", "chev")}<span class="v nowrap">{escape(words.t("run.steps", n=len(done), took=took))}</span>'
        f'<span class="cut">{escape(", ".join(parts))}</span>'
    )


def decided(asked: Asked, answer: Answered, words: Translations) -> str:
    """Return the decision in a word or two."""
    if answer.by == "stop":
        return words.t("answered.by_stop")
    if asked.tool in tool_labels.ASKING:
        verb = tool_labels.kind(asked.tool).verb
        return words.t(f"answered.ours.{verb if answer.decision == 'allow' else 'deny'}")
    return words.t(f"answered.{asked.kind}.{answer.decision}")


def who(answer: Answered, words: Translations) -> str:
    """Return who decided, and when."""
    clock = words.clock(answer.at) if isinstance(answer.at, datetime) else ""
    if answer.by == "stop":
        return clock
    by = words.t("answered.by_rule" if answer.by.startswith(("rule", "policy")) else "answered.by_you")
    return f"{by} · {clock}" if clock else by


def _counts(call: ToolCalled, words: Translations) -> str:
    if call.name not in tool_labels.EDITING:
        return ""
    if call.cut:  # an incomplete input cannot be counted
        return f'<span class="nowrap">{escape(words.t("act.cut"))}</span>'
    added, gone = diff.counts(diff.changes(call.name, call.input))
    minus = f' <span class="bad">−{gone}</span>' if gone else ""
    return f'<span class="nowrap"><span class="ok">+{added}</span>{minus}</span>'


def _decision(act: ToolCallView, words: Translations) -> str:
    """Draw the decision about a call: who made it, the added rule, and the person's remark."""
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
    """Draw the platform's decision: what allowed the call without a question, or refused it."""
    rule = f'<code class="rule">{escape(tool_labels.visible(decided.rule))}</code>' if decided.rule else ""
    state = "denied" if decided.decision == "deny" else "allowed"
    told = escape(words.t(f"decided.{decided.by}") if decided.by in POLICIES else decided.by)
    return f'<span class="decision" data-testid="policy" data-state="{state}"><span>{told}</span>{rule}</span>'


def _end(act: ToolCallView, words: Translations) -> str:
    if act.state in ("waiting", "running"):
        since = act.began.isoformat() if act.began else ""
        waiting = f'<span class="end warn">{words.t("act.waiting")}</span>'
        place = f'<span class="end">{words.t("act.background")}</span>' if act.in_background else ""
        return waiting if act.waiting else f'{place}<span class="end" data-since="{since}"></span>'
    parts = [words.lasting(act.took_s)] if act.took_s >= 0.05 else []
    if act.state == "stopped":
        by_user = isinstance(act.ended, TurnFinished) and act.ended.reason == "stopped_by_user"
        parts.insert(0, words.t("act.stopped_by_you" if by_user else "act.stopped"))
    return f'<span class="end">{escape(" · ".join(parts))}</span>'
