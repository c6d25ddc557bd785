"""A whole session as one file to keep: Markdown, or an HTML page without scripts that opens anywhere."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape
from typing import Final

from core.domain import events as e
from core.domain.message_queue import MessageQueue
from ui.layout.i18n import Translations
from ui.transcript import markdown, tool_labels

OUTPUT_CHARS: Final = 4_000  # of a tool's result; the whole is in the session
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
STYLE: Final = (
    "body{max-width:760px;margin:32px auto;padding:0 16px;font:15px/24px system-ui,sans-serif;color:#16181d;"
    "background:#fcfcfd}h1{font-size:20px}h2{font-size:13px;color:#5f697d;margin:24px 0 4px}pre{overflow:auto;"
    "padding:8px 12px;background:#f3f4f7;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".said{white-space:pre-wrap;padding:10px 14px;"
    "background:#eef0f4;border-radius:8px}summary{cursor:pointer;color:#5f697d}table{border-collapse:collapse}"
    "th,td{padding:4px 10px;border-bottom:1px solid #e6e8ec;text-align:start}.end{color:#5f697d;font-size:13px}"
    "@media(prefers-color-scheme:dark){body{color:#eceef2;background:#0e0f12}pre,.said{background:#16181d}}"
)


class Form:
    """Writes the parts of a session in one format."""

    def __init__(
        self,
        *,
        head: Callable[[str], str],
        said: Callable[[str, str], str],
        text: Callable[[str, str], str],
        tool: Callable[[str, str], str],
        end: Callable[[str], str],
    ) -> None:
        self.head, self.said, self.text, self.tool, self.end = head, said, text, tool, end


def fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


MARKDOWN: Final = Form(
    head=lambda title: f"# {' '.join(title.split())}\n",
    said=lambda who, text: f"## {who}\n\n{text}\n",
    text=lambda who, text: f"## {who}\n\n{text}\n",
    tool=lambda line, output: f"### {line}\n\n{fenced(output)}\n" if output else f"### {line}\n",
    end=lambda line: f"*{line}*\n",
)
HTML: Final = Form(
    head=lambda title: (
        f'<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY.removesuffix("; sandbox")}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
    ),
    said=lambda who, text: f'<h2>{escape(who)}</h2><div class="said">{escape(text)}</div>',
    text=lambda who, text: f"<h2>{escape(who)}</h2><div>{markdown.render(text)}</div>",
    tool=lambda line, output: f"<details><summary>{escape(line)}</summary><pre>{escape(output)}</pre></details>",
    end=lambda line: f'<p class="end">{escape(line)}</p>',
)


def export(events: Iterable[e.AnyEvent], form: Form, *, title: str, agent: str, words: Translations) -> str:
    """Return what was said and done, in order. Messages stand where their turn began, as they were edited last."""
    queue, parts, events = MessageQueue(), [form.head(title)], list(events)
    returned = {event.id: event for event in events if isinstance(event, e.ToolReturned)}
    for event in events:
        match event:
            case e.UserSaid():
                queue.add(event)
            case e.QueueChanged():
                queue.apply(event)
            case e.StateChanged() if said := queue.take(event.turn):
                files = "".join(f"\n[{file.path}]" for file in said.attachments)
                parts.append(form.said(_who(words.t("export.you"), said, words), said.text + files))
            case e.Text():
                parts.append(form.text(_who(agent, event, words), event.text))
            case e.ToolCalled() if event.name not in tool_labels.SILENT:
                parts.append(form.tool(_act(event, words), _output(returned.get(event.id))))
            case e.TurnFinished():
                parts.append(form.end(_ended(event, words)))
    parts += [form.said(_who(words.t("export.waiting"), said, words), said.text) for said in queue]
    return "\n".join(parts) + "\n"


def _who(name: str, event: e.Event, words: Translations) -> str:
    return f"{name} · {words.full(event.at)}" if isinstance(event.at, datetime) else name


def _act(called: e.ToolCalled, words: Translations) -> str:
    verb = words.t(f"act.{tool_labels.kind(called.name).verb}")
    return f"{verb} {tool_labels.visible(tool_labels.short(tool_labels.target(called.name, called.input)))}".strip()


def _output(returned: e.ToolReturned | None) -> str:
    content = returned.content if returned else ""
    return content if len(content) <= OUTPUT_CHARS else f"{content[:OUTPUT_CHARS]}…"


def _ended(event: e.TurnFinished, words: Translations) -> str:
    reason = "" if event.outcome == "ok" else words.code("reason", event.reason, "other")
    cost = words.money(event.cost_usd) if event.cost_usd else ""
    return " · ".join(part for part in (words.lasting(event.duration_s), cost, reason) if part)
