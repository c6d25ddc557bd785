"""Answers the CLI's side requests (titles, topic checks, summaries, probes) in the form it expects."""

import json
from typing import Any

from core.gateway.practice.conversation import ChatHistory, ModelText, UserText

TITLE_CHARS = 50
SUMMARY_CHARS = 4_000


def side_reply(body: dict[str, Any], conversation: ChatHistory) -> str | None:
    """Return the answer to a side request; None if the request is part of the conversation."""
    said = [item.text for item in conversation.items if isinstance(item, UserText)]
    last = said[-1] if said else ""
    system = str(body.get("system") or "")
    if body.get("max_tokens") == 1:
        return "."  # a probe whether the key works
    if "summary of the conversation" in last[:2_000]:
        return _summary(conversation)
    if conversation.tools:
        return None
    if schema := _schema(body):
        return json.dumps(_fill(schema, last), ensure_ascii=False)
    if "isNewTopic" in system:
        return json.dumps({"isNewTopic": True, "title": title(last)}, ensure_ascii=False)
    if "title" in system.lower():
        return title(last)
    return None


def title(text: str) -> str:
    """Return a short line for a text."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


def _schema(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else body.get("output_format")
    found = wanted.get("schema") if isinstance(wanted, dict) else None
    return found if isinstance(found, dict) else {}


def _fill(schema: dict[str, Any], text: str) -> Any:
    """Return a minimal value of a JSON schema: the title for every string, empty values for the rest."""
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


def _summary(conversation: ChatHistory) -> str:
    """Summarise a conversation that is to be shortened: its texts in order, but the one that asks for it."""
    spoken = [item for item in conversation.items if isinstance(item, UserText | ModelText)][:-1]
    lines = [f"- {'user' if isinstance(item, UserText) else 'assistant'}: {title(item.text)}" for item in spoken]
    return "<summary>\n" + "\n".join(lines)[:SUMMARY_CHARS] + "\n</summary>"
