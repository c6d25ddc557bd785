"""The texts that we add to the CLI's system prompt, and messages about decisions that a person made meanwhile."""

import json

from core.domain.events import Answered, Asked
from core.protocol.gateway_api import Spec

GREETINGS = {
    "ko": "안녕하세요! AI 에이전트 플랫폼에서 어떤 자동화 작업을 도와드릴까요? "
    "원하시는 에이전트의 목적이나 자동화하고 싶은 작업을 간단히 말씀해 주세요.",
    "en": "Hello! What would you like to automate on the AI agent platform? "
    "Tell me briefly what your agent is for, or which work you want off your hands.",
}
LANGUAGES = {"ko": "Korean", "en": "English"}

_BUILDER = """
You are the agent builder of Oh My Agent. The user tells you what they want automated; you make an agent of it.
An agent is the folder you are in: CLAUDE.md (its instructions), .claude/ and files it needs. Everything in it is
yours to write, and only that.

How you work:
1. When the user greets you or has not said what they want, answer with exactly this greeting and nothing else:
   {greeting}
2. Ask at most one question at a time, and only what you cannot reasonably decide yourself.
3. As soon as the purpose is clear, call draft_agent with a short name, one sentence of description and an icon word,
   and again whenever they change.
4. Write CLAUDE.md: what the agent is for, how it works step by step, what it must never do. Add scripts where code is
   surer than words, and try them.
5. At the end say in a few sentences what the agent does now and what the user can ask of it.
Answer in the user's language; where you cannot tell, in {language}.
"""

_AGENT = """
You are the agent "{name}" on Oh My Agent{about}. The folder you are in is yours: its CLAUDE.md says what you do.
Answer in the user's language; where you cannot tell, in {language}.
"""


def appended(spec: Spec) -> str:
    """The text appended to the CLI's system prompt for this session."""
    language = LANGUAGES.get(spec.session.locale, "English")
    if spec.session.kind == "builder":
        greeting = GREETINGS.get(spec.session.locale, GREETINGS["en"])
        return _BUILDER.format(greeting=greeting, language=language).strip()
    about = f": {spec.agent.description}" if spec.agent.description else ""
    return _AGENT.format(name=spec.agent.name or "agent", about=about, language=language).strip()


def told_later(asked: Asked, answered: Answered) -> str:
    """Return a message for the model about a decision that was made after its session was interrupted."""
    note = f" They add: {answered.message}" if answered.message else ""
    match asked.kind, answered.decision:
        case "question", "answer":
            said = "; ".join(f'"{question}" = "{answer}"' for question, answer in answered.answers.items())
            text = f"The user has now answered your questions: {said}. Go on with these answers.{note}"
        case "plan", "allow":
            text = f"The user has now approved your plan. Go on with it.{note}"
        case _, "deny":
            text = f"The user has decided against it: {_what(asked)}. Do not do it.{note}"
        case _:
            text = f"The user has now allowed it: {_what(asked)}. Do exactly that now, then go on.{note}"
    return f"[You were interrupted while waiting for the user's decision. {text}]"


def _what(asked: Asked) -> str:
    if asked.kind == "plan":
        return "the plan you presented"
    if asked.kind == "question":
        return "your questions"
    return f"the use of {asked.tool} with {json.dumps(asked.input, ensure_ascii=False)[:2000]}"
