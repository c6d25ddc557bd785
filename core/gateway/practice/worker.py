"""The practice model as a finished agent: it runs the agent's script and shows what came out, whatever it is asked."""

from core.gateway.practice.calls import Block, Speak, added_to, call_in, refusal, run_script, told
from core.gateway.practice.hearing import Heard, Kind, listen
from core.gateway.practice.phrasebook import Sentences, sentences
from core.gateway.practice.talk import Talk


def work(talk: Talk) -> tuple[Block, ...]:
    """The next message of the model in a session with an agent."""
    heard = listen(talk)
    words = sentences(talk.language(heard[-1].at if heard else 0))
    if not heard or heard[-1].kind is Kind.GREET:
        return (Speak(text=words.agent_greeting.format(name=talk.agent)),)
    if plain := _plain(heard[-1], words):
        return (Speak(text=plain),)
    calls = talk.calls(heard[-1].at)
    if calls:
        return (Speak(text=told(calls[-1], words, words.agent_report)),)
    if "Bash" not in talk.tools:
        return (Speak(text=words.more),)
    noted = call_in(heard[-1].text) if heard[-1].kind is Kind.ALLOWED else None
    return (Speak(text=words.agent_run), noted or run_script(words.run_description))


def _plain(last: Heard, words: Sentences) -> str:
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
