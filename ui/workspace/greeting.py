"""The greeting of an empty conversation: the agent's name and description, or for a builder some examples."""

from typing import Any, Final

from core.domain.records import Agent, Session
from ui.layout.i18n import Translations

STARTERS: Final = {"issues": "issue", "minutes": "mic", "research": "book"}  # of those in ui/dashboard/start.py


def welcome(agent: Agent, session: Session, words: Translations, branched_from: str = "") -> dict[str, Any]:
    """Return the content of an empty transcript: `title`, `text`, and `starters` that fill the text box.

    `branched_from` is the title of the session that this one branched from.
    """
    if branched_from:
        return {"title": words.t("branch.title"), "text": words.t("branch.text", title=branched_from), "starters": []}
    if session.kind != "builder":
        name = agent.name or words.t("workspace.untitled")
        return {"title": name, "text": agent.description, "starters": []}
    starters = [
        {"text": words.t(f"start.{name}"), "say": words.t(f"start.{name}_say"), "icon": icon}
        for name, icon in STARTERS.items()
    ]
    return {"title": words.t("start.title"), "text": words.t("start.hint"), "starters": starters}
