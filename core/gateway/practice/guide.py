"""`CLAUDE.md` as the practice builder writes it: what was wished for, turned into instructions."""

from string import Template

from core.gateway.practice.talk import Language
from core.gateway.practice.topic import Shape, Topic

KO = """# $name

$does

## 부탁받은 일
> $wish
$answer
## 일하는 순서
$steps

## 지킬 것
- 모르는 것은 지어내지 않고 모른다고 말해요.
- 결과는 짧게, 중요한 것부터 적어요.
- 파일을 지우거나 밖으로 보내는 일은 먼저 물어봐요.
- 비밀번호나 키는 파일과 결과에 적지 않아요.
$added
## 파일
- `main.py`: `python3 main.py`로 실행해요. 지금은 예시 자료로 움직여요.
"""

EN = """# $name

$does

## The task
> $wish
$answer
## How to work
$steps

## Rules
- Say so when something is not known; make nothing up.
- Keep results short, the important things first.
- Ask before deleting files or sending anything out.
- Never write passwords or keys into files or results.
$added
## Files
- `main.py`: run it with `python3 main.py`. It works on sample data for now.
"""

STEPS: dict[tuple[Shape, Language], tuple[str, ...]] = {
    ("figures", "ko"): (
        "이번 값과 지난번 값을 모아요.",
        "얼마나 달라졌는지 백분율로 계산해요.",
        "크게 달라진 것부터 한 줄씩 적고, 까닭을 알면 덧붙여요.",
    ),
    ("figures", "en"): (
        "Collect this value and the last one of each item.",
        "Work out the change in percent.",
        "Write a line for each, the largest move first, with the reason if it is known.",
    ),
    ("entries", "ko"): (
        "새로 들어온 것을 모두 모아요.",
        "부탁받은 기준으로 중요도를 매겨요.",
        "중요한 것만 골라 급한 순서로 한 줄씩 적어요.",
    ),
    ("entries", "en"): (
        "Collect everything that is new.",
        "Weigh each by what was asked for.",
        "Write a line for each that matters, most urgent first.",
    ),
    ("text", "ko"): (
        "글을 끝까지 읽어요.",
        "누가 읽을 글인지, 무엇이 중요한지 정해요.",
        "부탁받은 길이와 말투로 결과를 적고, 바꾼 까닭을 한 줄로 남겨요.",
    ),
    ("text", "en"): (
        "Read the text to its end.",
        "Decide who it is for and what matters in it.",
        "Write the result in the length and tone asked for, with one line on what was changed and why.",
    ),
}

HEADINGS: dict[Language, tuple[str, str]] = {
    "ko": ("덧붙인 설명", "나중에 더한 것"),
    "en": ("In more detail", "Added later"),
}


def guide(
    topic: Topic, *, name: str, does: str, wish: str, answer: str, additions: tuple[str, ...], language: Language
) -> str:
    """The whole file."""
    more, later = HEADINGS[language]
    steps = STEPS[topic.shape, language]
    return Template(KO if language == "ko" else EN).substitute(
        name=name,
        does=does,
        wish=_quote(wish),
        answer=f"\n{more}:\n> {_quote(answer)}\n" if answer else "",
        steps="\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1)),
        added=f"\n## {later}\n" + "\n".join(f"- {' '.join(text.split())}" for text in additions) + "\n"
        if additions
        else "",
    )


def _quote(text: str) -> str:
    """For Markdown's quotes: every line begins with its mark."""
    return "\n> ".join(line.strip() for line in text.strip().splitlines())


def amended(text: str, *, name: str, additions: tuple[str, ...], language: Language) -> str:
    """A file that is there already, with the agent's name now and with what is added."""
    lines = text.strip("\n").splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    if at is None:
        lines = [f"# {name}", "", *lines]
    else:
        lines[at] = f"# {name}"
    heads = [f"## {later}" for _, later in HEADINGS.values()]
    under = next((number for number, line in enumerate(lines) if line.strip() in heads), None)
    added = [f"- {' '.join(addition.split())}" for addition in additions]
    if added and under is None:
        lines += ["", f"## {HEADINGS[language][1]}", *added]
    elif added and under is not None:
        end = next((n for n in range(under + 1, len(lines)) if not lines[n].strip().startswith("- ")), len(lines))
        lines[end:end] = added
    return "\n".join(lines) + "\n"
