"""Writes the agent's `CLAUDE.md`: instructions made from the user's request."""

from string import Template

from core.gateway.practice.conversation import Language
from core.gateway.practice.phrasebook import Topic, phrasebook


def guide(
    topic: Topic, *, name: str, does: str, wish: str, answer: str, additions: tuple[str, ...], language: Language
) -> str:
    """Return the whole file."""
    words = phrasebook().languages[language].guide
    steps = words.steps[topic.shape]
    return Template(words.text).substitute(
        name=name,
        does=does,
        wish=_quote(wish),
        answer=f"\n{words.more}:\n> {_quote(answer)}\n" if answer else "",
        steps="\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1)),
        added=f"\n## {words.later}\n" + "\n".join(f"- {' '.join(text.split())}" for text in additions) + "\n"
        if additions
        else "",
    )


def _quote(text: str) -> str:
    """Quote every line in Markdown."""
    return "\n> ".join(line.strip() for line in text.strip().splitlines())


def amended(text: str, *, name: str, additions: tuple[str, ...], language: Language) -> str:
    """Return an existing file with the agent's current name and the additions."""
    lines = text.strip("\n").splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    if at is None:
        lines = [f"# {name}", "", *lines]
    else:
        lines[at] = f"# {name}"
    languages = phrasebook().languages
    heads = [f"## {each.guide.later}" for each in languages.values()]
    under = next((number for number, line in enumerate(lines) if line.strip() in heads), None)
    added = [f"- {' '.join(addition.split())}" for addition in additions]
    if added and under is None:
        lines += ["", f"## {languages[language].guide.later}", *added]
    elif added and under is not None:
        end = next((n for n in range(under + 1, len(lines)) if not lines[n].strip().startswith("- ")), len(lines))
        lines[end:end] = added
    return "\n".join(lines) + "\n"
