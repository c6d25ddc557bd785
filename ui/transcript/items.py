"""The HTML of all transcript items except tool cards. Every value is escaped here or rendered by markdown.py."""

from datetime import datetime
from html import escape
from typing import Final

from core.domain.error_catalogue import Remedy, remedies
from core.domain.events import Answered, Asked, Attachment, Notice, Retrying, TodoItem, TurnFinished, UserSaid
from ui.layout.i18n import Translations
from ui.layout.turn_reasons import turn_reason
from ui.transcript import tool_labels
from ui.transcript.icons import icon
from ui.transcript.session_stats import cost_text
from ui.transcript.tool_card import decided, who

LONG_LINES: Final = 15
HEAD_LINES: Final = 10
LINE_CHARS: Final = 70  # in a line of a bubble, roughly
WAITED_S: Final = 1.0  # a shorter wait for a person is not shown
MARKS: Final = {"done": "check", "now": "half", "later": "circle"}


class Items:
    """Draws the items in one language."""

    def __init__(self, words: Translations) -> None:
        self._words = words

    def said(self, event: UserSaid, *, queued: bool, steered: bool = False) -> str:
        """Draw a message of the user; `steered`: the agent took it in while it worked."""
        t = self._words.t
        if event.retry_of and not queued:
            told = f"{icon('rewind')}<span>{escape(t('say.again'))}</span>"
            return f'<div class="act remark info" data-testid="retried" data-seq="{event.seq}">{told}</div>'
        waits = ("bolt", t("say.steering")) if event.steer else ("queue", t("say.queued"))
        marks = [waits] if queued else [("bolt", t("say.steered"))] if steered else []
        marks += [("info", t("say.via", via=event.via))] if event.via != "web" else []
        notes = "".join(f'<span class="tiny">{icon(name)}{escape(text)}</span>' for name, text in marks)
        files = "".join(map(_attachment, event.attachments))
        row = (
            f'<div class="said-row" data-testid="message" data-role="user" data-seq="{event.seq}"'
            f' data-message="{escape(event.message_id)}">{self._bubble(event.text) if event.text else ""}'
            f"{files}{notes}</div>"
        )
        state = "steer" if event.steer else "queue"
        return f'<div class="queued" data-testid="queue-item" data-state="{state}">{row}</div>' if queued else row

    def _bubble(self, text: str) -> str:
        """Draw the text of a message. A long one shows its beginning, and the rest unfolds."""
        head, rest = fold_long(text)
        if not rest:
            return f'<div class="said" dir="auto">{escape(text, quote=False)}</div>'
        more = self._words.t("say.more", chars=self._words.number(len(rest)))
        return (
            f'<details class="said" dir="auto"><summary><span>{escape(head, quote=False)}</span>'
            f'<span class="tiny more">{icon("right", "chev")}{escape(more)}</span></summary>'
            f"<div>{escape(rest, quote=False)}</div></details>"
        )

    def text(self, html: str, *, seq: int = 0, partial: bool = False) -> str:
        """Draw a text of the agent; it has no number while it is being written."""
        number = f' data-seq="{seq}"' if seq else ' data-live="1"'
        note = f'<p class="tiny row">{icon("alert")}{self._words.t("say.partial")}</p>' if partial else ""
        return f'<div class="prose" dir="auto" data-testid="message" data-role="assistant"{number}>{html}</div>{note}'

    def thinking(self, text: str, *, live: bool = False) -> str:
        """Draw a thinking block, folded."""
        label = self._words.t("act.thinking" if live else "act.thought")
        first = escape(tool_labels.short(text), quote=False)
        line = f'{icon("right", "chev")}<span class="v nowrap">{label}</span><span class="cut">{first}</span>'
        body = "" if live else f'<div class="plain thought" dir="auto">{escape(text, quote=False)}</div>'
        return f'<details class="thinking" data-testid="thinking"><summary class="act">{line}</summary>{body}</details>'

    def answered(self, asked: Asked, answer: Answered) -> str:
        """Draw a line with a decision and who made it."""
        if asked.kind == "question":
            return self._question(asked, answer)
        allowed = answer.decision != "deny"
        verb = decided(asked, answer, self._words)
        what = tool_labels.short(tool_labels.target(asked.tool, asked.input)) if asked.kind == "permission" else ""
        what = tool_labels.visible(what)
        rule = (
            f'<code class="rule">{escape(tool_labels.visible(answer.rule))}</code>'
            if answer.decision == "allow_always"
            else ""
        )
        note = f'<div class="out">{escape(answer.message, quote=False)}</div>' if answer.message else ""
        return (
            f'<div class="decided" data-testid="{asked.kind}" data-state="{"allowed" if allowed else "denied"}">'
            f'<div class="act">{icon("shield" if allowed else "x")}'
            f'<span class="v nowrap">{escape(verb)}</span>'
            f'<span class="o cut">{escape(what, quote=False)}</span>{rule}'
            f'<span class="end">{escape(who(answer, self._words))}</span></div>{note}</div>'
        )

    def _question(self, asked: Asked, answer: Answered) -> str:
        denied = answer.decision == "deny"
        skipped = answer.message or decided(asked, answer, self._words)
        rows = "".join(
            f'<div class="act">{icon("question")}<span class="v">{escape(question.text, quote=False)}</span>'
            f"{_reply(answer, question.text, skipped)}"
            f'<span class="end">{escape(who(answer, self._words))}</span></div>'
            for question in asked.questions
        )
        state = "denied" if denied else "answered"
        return f'<div class="decided" data-testid="question" data-state="{state}">{rows}</div>'

    def plan(self, html: str) -> str:
        """Draw a plan that the agent proposes, in full."""
        head = f'<div class="cap">{icon("plan")}{self._words.t("ask.plan")}</div>'
        return f'<div class="block plan">{head}<div class="prose" dir="auto">{html}</div></div>'

    def todos(self, items: tuple[TodoItem, ...]) -> str:
        """Draw the agent's checklist."""
        done = sum(item.status == "done" for item in items)
        rows = "".join(
            f'<li data-s="{item.status}">{icon(MARKS[item.status])}<span>{escape(item.text, quote=False)}</span></li>'
            for item in items
        )
        head = escape(self._words.t("todo.head", done=done, all=len(items)))
        return f'<div class="todo"><div class="meta">{head}</div><ul>{rows}</ul></div>'

    def notice(self, event: Notice) -> str:
        """Draw a remark of the platform."""
        key = f"notice.{event.text}"
        text = self._words.t(key) if self._words.has(key) else event.text
        name = "info" if event.level == "info" else "alert"
        return f'<div class="act remark {event.level}">{icon(name)}<span>{escape(text, quote=False)}</span></div>'

    def retrying(self, event: Retrying) -> str:
        """Draw a retry of a model call; the page counts the seconds down."""
        text = self._words.code("retry", event.reason, "other", attempt=event.attempt)
        until = f' data-in="{event.in_s:.1f}"' if event.in_s else ""
        end = f'<span class="end"{until}></span>'
        return f'<div class="act remark warn">{icon("clock")}<span>{escape(text)}</span>{end}</div>'

    def no_command(self, name: str) -> str:
        """Draw the answer to an unknown slash command."""
        told = escape(self._words.t("say.no_command", name=name))
        return f'<div class="act remark info">{icon("info")}<span>{told}</span></div>'

    def ended(
        self, event: TurnFinished, *, said: UserSaid | None = None, followed: bool = False, empty: bool = False
    ) -> str:
        """Draw the end of a turn: time, tokens and cost in one line; before it an error with its remedies.

        `said` is the turn's message, as long as nothing has followed it. `followed`: a waiting message continues by
        itself. `empty`: the turn produced nothing.
        """
        words = self._words
        parts = [words.clock(event.at)] if isinstance(event.at, datetime) else []
        parts += [*self._times(event), *self._tokens(event)]
        cost = cost_text(event.cost_usd, event.unpriced_calls, words)
        parts += [cost] if cost else []
        full = (
            escape(f"{words.full(event.at)} · {words.t('end.tokens_hint')}") if isinstance(event.at, datetime) else ""
        )
        told = f"<span>{escape(' · '.join(parts))}</span>"
        branch = f' data-branch="{event.seq}"' if event.anchor else ""
        line = f'<div class="ended" data-outcome="{event.outcome}" title="{full}"{branch}>{told}</div>'
        if event.outcome == "ok":
            told = f'<div class="act remark info">{icon("info")}<span>{words.t("end.no_answer")}</span></div>'
            return told + line if empty else line
        reason = "stopped_for_next" if followed and event.reason == "stopped_by_user" else event.reason
        return self._trouble(event, reason, said) + line

    def _times(self, event: TurnFinished) -> list[str]:
        """Return how long the turn worked, and how long it waited for a person."""
        words, waited = self._words, min(event.waited_s, event.duration_s)
        if waited < WAITED_S:
            return [words.lasting(event.duration_s)] if event.duration_s else []
        worked = words.t("end.worked", time=words.lasting(event.duration_s - waited))
        return [worked, words.t("end.waited", time=words.lasting(waited))]

    def _tokens(self, event: TurnFinished) -> list[str]:
        """Return the tokens that the model read in all its calls, and those that it wrote."""
        usage, number = event.usage, self._words.number
        read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        if not (read or usage.output_tokens):
            return []
        return [self._words.t("end.tokens", read=number(read), written=number(usage.output_tokens))]

    def _trouble(self, event: TurnFinished, reason: str, said: UserSaid | None) -> str:
        sentence = escape(turn_reason(reason, event.detail, self._words))
        detail = f'<div class="out">{escape(event.detail, quote=False)}</div>'
        more = f'<details class="why"><summary>{self._words.t("end.detail")}</summary>{detail}</details>'
        if reason == "model_declined":  # the model's own sentence is the reason
            more = f'<p dir="auto">{escape(event.detail, quote=False)}</p>'
        name = "stop" if event.outcome == "interrupted" else "alert"
        body = f'<div class="grow"><p>{sentence}</p>{more if event.detail else ""}</div>'
        body += _ways(event, said) if said else ""
        return f'<div class="trouble {event.outcome}" role="note">{icon(name)}{body}</div>'


def _attachment(file: Attachment) -> str:
    name = icon("screen" if file.media_type else "clip")
    return f'<span class="chip" data-testid="attachment" title="{escape(file.path)}">{name}{escape(file.name)}</span>'


def _ways(event: TurnFinished, said: UserSaid) -> str:
    """Return the place for a button per remedy, which the page adds (core.domain.error_catalogue)."""
    helps, ways = remedies(event.reason), ""
    if Remedy.RETRY in helps or Remedy.WAIT in helps:
        ways += f' data-again="{event.seq}"'
    if Remedy.EDIT_MESSAGE in helps:
        ways += f' data-edit="{said.seq}"'
    if Remedy.NEW_SESSION in helps:
        ways += f' data-handover="{event.seq}"'
    return f'<div class="again"{ways}></div>' if ways else ""


def fold_long(text: str) -> tuple[str, str]:
    """Split a message of more than about fifteen lines into (shown part, folded rest)."""
    height, cut = 0, 0
    for line in text.splitlines(keepends=True):
        if height < HEAD_LINES:
            cut += min(len(line), (HEAD_LINES - height) * LINE_CHARS)
        height += 1 + len(line) // LINE_CHARS
    return (text[:cut].rstrip("\n"), text[cut:]) if height > LONG_LINES else (text, "")


def _reply(answer: Answered, question: str, skipped: str) -> str:
    """Draw the parts of an answer, each by itself: a comma may be part of one."""
    reply = answer.replies.get(question)
    parts = reply.lines if reply else (answer.answers.get(question, skipped),)
    return "".join(f'<span class="said-inline">{escape(part, quote=False)}</span>' for part in parts)
