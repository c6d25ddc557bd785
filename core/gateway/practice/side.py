"""What the CLI asks beside the conversation: titles, topic checks, summaries, probes; each in the form it expects."""

import json
from typing import Any

from core.gateway.practice.talk import Replied, Said, Talk

TITLE_CHARS = 50
SUMMARY_CHARS = 4_000


def side_reply(body: dict[str, Any], talk: Talk) -> str | None:
    """The answer to a request that is no talk with the person; None if it is one."""
    said = [item.text for item in talk.items if isinstance(item, Said)]
    last = said[-1] if said else ""
    system = str(body.get("system") or "")
    if body.get("max_tokens") == 1:
        return "."  # a probe whether the key works
    if "summary of the conversation" in last[:2_000]:
        return _summary(talk)
    if talk.tools:
        return None
    if schema := _schema(body):
        return json.dumps(_fill(schema, last), ensure_ascii=False)
    if "isNewTopic" in system:
        return json.dumps({"isNewTopic": True, "title": title(last)}, ensure_ascii=False)
    if "title" in system.lower():
        return title(last)
    return None


def title(text: str) -> str:
    """A short line for what was said."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


def _schema(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else body.get("output_format")
    found = wanted.get("schema") if isinstance(wanted, dict) else None
    return found if isinstance(found, dict) else {}


def _fill(schema: dict[str, Any], text: str) -> Any:
    """The plainest value of a JSON schema: the title for every string, and nothing for the rest."""
    if choices := schema.get("enum"):
        return choices[0] if isinstance(choices, list) else None
    match schema.get("type"):
        case "object":
            properties = schema.get("properties")
            pairs = properties.items() if isinstance(properties, dict) else ()
            return {name: _fill(part, text) for name, part in pairs if isinstance(part, dict)}
        case "string":
            return title(text)
        case "boolean":
            return False
        case "array":
            return []
        case "integer" | "number":
            return 0
    return None


def _summary(talk: Talk) -> str:
    """For a conversation that is made shorter: what was said, in order. The last words asked for the summary."""
    spoken = [item for item in talk.items if isinstance(item, Said | Replied)][:-1]
    lines = [f"- {'user' if isinstance(item, Said) else 'assistant'}: {title(item.text)}" for item in spoken]
    return "<summary>\n" + "\n".join(lines)[:SUMMARY_CHARS] + "\n</summary>"
