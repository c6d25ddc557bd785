"""The practice model as a finished agent: it runs the agent's script and shows what came out, whatever it is asked."""

from core.gateway.practice.calls import Block, Speak, added_to, call_in, fence, note_of, refusal, run_script
from core.gateway.practice.hearing import Heard, Kind, listen
from core.gateway.practice.talk import Called, Talk
from core.gateway.practice.words import WORDS, Words


def work(talk: Talk) -> tuple[Block, ...]:
    """The next message of the model in a session with an agent."""
    heard = listen(talk)
    words = WORDS[talk.language(heard[-1].at if heard else 0)]
    if not heard or heard[-1].kind is Kind.GREET:
        return (Speak(text=words.agent_greeting.format(name=talk.agent)),)
    if plain := _plain(heard[-1], words):
        return (Speak(text=plain),)
    calls = talk.calls(heard[-1].at)
    if calls:
        return (Speak(text=_told(calls[-1], words)),)
    if "Bash" not in talk.tools:
        return (Speak(text=words.more),)
    noted = call_in(heard[-1].text) if heard[-1].kind is Kind.ALLOWED else None
    return (Speak(text=words.agent_run), noted or run_script(words.run_description))


def _plain(last: Heard, words: Words) -> str:
    match last.kind:
        case Kind.THANK:
            return words.thanks
        case Kind.WHO:
            return words.who
        case Kind.NO:
            return words.fine
        case Kind.DENIED:
            return refusal(words, added_to(last.text), of_run=True)
    return ""


def _told(call: Called, words: Words) -> str:
    """What came of the run."""
    match call.outcome:
        case "ok":
            return words.agent_report.format(output=fence(call.result) if call.result.strip() else words.no_output)
        case "denied":
            return refusal(words, note_of(call.result), of_run=True)
    return words.failed_run.format(output=fence(call.result))
