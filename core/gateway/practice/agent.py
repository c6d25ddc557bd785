"""The practice model in a session with a finished agent: it runs the agent's script and shows the output."""

from core.gateway.practice.conversation import ChatHistory
from core.gateway.practice.phrasebook import Sentences, phrasebook, sentences
from core.gateway.practice.tool_uses import Block, TextBlock, added_to, call_in, refusal, run_report, run_script
from core.gateway.practice.utterances import Kind, Utterance, utterances

TROUBLE = ("Traceback", "Exit code", "⚠")


def agent_answer(conversation: ChatHistory) -> tuple[Block, ...]:
    """Return the model's next message in a session with an agent."""
    heard = utterances(conversation)
    words = sentences(conversation.language(heard[-1].at if heard else 0))
    if not heard or heard[-1].kind is Kind.GREET:
        return (TextBlock(text=words.agent_greeting.format(name=conversation.agent)),)
    if plain := _plain(heard[-1], words):
        return (TextBlock(text=plain),)
    calls = conversation.calls(heard[-1].at)
    if calls:
        return (TextBlock(text=run_report(calls[-1], words, words.agent_report)),)
    if "Bash" not in conversation.tools:
        return (TextBlock(text=words.more),)
    noted = call_in(heard[-1].text) if heard[-1].kind is Kind.ALLOWED else None
    return (TextBlock(text=words.agent_run), noted or run_script(words.run_description))


def judgement(conversation: ChatHistory) -> str:
    """Return the verdict about the answer that the last message quotes: a script can only see whether there is one."""
    said = conversation.words()
    question = said[-1][1].text if said else ""
    words = phrasebook().languages[conversation.language(said[-1][0] if said else 0)].handover
    answer = question.rpartition("Its answer:")[2].strip()
    good = bool(answer) and not any(sign in answer for sign in TROUBLE)
    return f"PASS\n{words.judged_good}" if good else f"FAIL\n{words.judged_bad}"


def _plain(last: Utterance, words: Sentences) -> str:
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
