"""All sentences of the practice model, in the languages it speaks."""

# ruff: noqa: E501  # sentences stay whole, so that they can be found by searching

from dataclasses import dataclass

from core.gateway.practice.talk import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Templates; the names in braces are filled in where they are used."""

    greeting: str
    thanks: str
    who: str
    more: str
    fine: str
    which_name: str
    plan: str  # {name} {does} {steps}
    step_rules: str
    step_script: str
    step_run: str
    doing_draft: str
    doing_name: str
    doing_rules: str
    doing_script: str
    doing_run: str
    reading: str
    unread: str
    looking: str
    nothing_here: str
    run_description: str
    going_on: str
    denied_run: str
    denied_write: str
    denied_said: str  # {message}
    failed_run: str  # {output}
    failed_write: str  # {output}
    report: str  # {output} {name}
    reported_again: str  # {output}
    no_output: str
    renamed: str  # {name}
    added: str  # {text}
    all_done: str
    agent_greeting: str  # {name}
    agent_run: str
    agent_report: str  # {output}
    only_words: str  # {name} {does}


KO = Words(
    greeting=(
        "안녕하세요! AI 에이전트 플랫폼에서 어떤 자동화 작업을 도와드릴까요? "
        "원하시는 에이전트의 목적이나 자동화하고 싶은 작업을 간단히 말씀해 주세요."
    ),
    thanks="도움이 됐다니 다행이에요. 바꾸고 싶은 점이 생기면 언제든 말씀해 주세요.",
    who=(
        "저는 이 플랫폼에 들어 있는 **연습 모델**이에요. 인터넷과 API 키 없이 정해진 순서로 답하지만, 파일을 쓰고 명령을 실행하는 일은 "
        "진짜 Claude Code가 상자 안에서 해요.\n\n진짜 모델과 일하려면 `ANTHROPIC_API_KEY`를 설정하고 플랫폼을 다시 시작해 주세요. "
        "대화와 파일은 그대로 남아 있어요."
    ),
    more=(
        "그 일은 제가 할 수 있는 범위를 넘어요. 저는 API 키 없이 체험하기 위한 **연습 모델**이라 정해진 일만 할 수 있어요.\n\n"
        "지금 할 수 있는 일은 이런 거예요.\n"
        "- 지침 고치기: “주말은 빼 줘”, “요약도 추가해 줘”\n"
        "- 이름 바꾸기: “이름을 ‘아침 비서’로 바꿔 줘”\n"
        "- 다시 실행하기: “다시 실행해 줘”\n\n"
        "자유롭게 만들려면 진짜 모델을 연결해 주세요. `ANTHROPIC_API_KEY`를 설정하고 플랫폼을 다시 시작하면 이 대화에서 이어져요."
    ),
    fine="알겠어요. 여기서 멈출게요. 이어서 하고 싶을 때 “계속”이라고 말씀해 주세요.",
    which_name="어떤 이름으로 바꿀까요?",
    plan="좋아요. **{name}** 에이전트를 만들게요. {does}\n\n순서는 이래요.\n{steps}",
    step_rules="에이전트가 따를 지침을 `CLAUDE.md`에 적어요.",
    step_script="인터넷 없이도 움직이는 작은 스크립트 `main.py`를 만들어요.",
    step_run="한 번 실행해 결과를 확인해요. 실행하기 전에 허락을 구할게요.",
    doing_draft="먼저 이름과 설명을 정할게요.",
    doing_name="이름을 바꿀게요.",
    doing_rules="지침을 적을게요.",
    doing_script="이제 스크립트를 만들게요.",
    doing_run="잘 움직이는지 한 번 실행해 볼게요.",
    reading="지금 내용을 먼저 읽을게요.",
    unread="`CLAUDE.md`를 읽지 못해서 고치지 않았어요. 파일이 있는지 확인한 뒤 다시 말씀해 주세요.",
    looking="만들어 둔 것이 있는지 볼게요.",
    nothing_here="이 폴더에는 아직 실행할 것이 없어요. 어떤 일을 자동화하고 싶은지 말씀해 주시면 만들어 드릴게요.",
    run_description="예시 자료로 스크립트를 한 번 실행해요",
    going_on="이어서 할게요.",
    denied_run=(
        "알겠어요. 실행하지 않을게요. 파일은 만들어 두었으니 사라지지 않아요.\n\n"
        "이렇게 하실 수도 있어요.\n"
        "- `main.py`를 먼저 살펴보고, 괜찮으면 “다시 실행해 줘”라고 말씀해 주세요.\n"
        "- 바꿀 점을 말씀해 주시면 지침부터 고칠게요."
    ),
    denied_write=(
        "알겠어요. 그 파일은 쓰지 않을게요. 무엇을 다르게 하면 좋을지 말씀해 주세요. 그대로 진행해도 되면 “계속”이라고 해 주세요."
    ),
    denied_said="남겨 주신 말씀은 확인했어요: “{message}”",
    failed_run=(
        "실행했는데 오류가 났어요. 나온 내용은 이래요.\n\n{output}\n\n같은 명령을 바로 되풀이하지는 않을게요. "
        "이 컴퓨터에 `python3`이 있는지 확인한 뒤 “다시 실행해 줘”라고 말씀해 주세요."
    ),
    failed_write="파일을 쓰지 못했어요. 나온 내용은 이래요.\n\n{output}\n\n까닭을 확인한 뒤 “계속”이라고 말씀해 주시면 다시 해 볼게요.",
    report=(
        "실행이 끝났고, 결과는 이래요.\n\n{output}\n\n**{name}**의 첫 모습이 준비됐어요.\n"
        "- `CLAUDE.md`: 에이전트가 따를 지침\n"
        "- `main.py`: 예시 자료로 움직이는 스크립트\n\n"
        "이제 바꿀 점을 말씀해 주시면 지침에 반영할게요. 저는 연습 모델이라 진짜 자료를 다루지는 못해요. `ANTHROPIC_API_KEY`를 설정하고 "
        "플랫폼을 다시 시작하면 진짜 모델이 여기서 이어서 만들어요."
    ),
    reported_again="다시 실행했어요. 결과는 이래요.\n\n{output}",
    no_output="(출력이 없었어요)",
    renamed="이름을 바꿨어요: **{name}**",
    added="`CLAUDE.md`에 반영했어요: “{text}”\n\n`main.py`의 예시는 그대로 두었어요. 스크립트까지 새로 짜는 일은 진짜 모델을 연결하면 할 수 있어요.",
    all_done="만들기로 한 것은 다 끝났어요. “다시 실행해 줘”라고 하시면 한 번 더 실행할게요. 바꿀 점을 말씀하셔도 돼요.",
    agent_greeting="안녕하세요. **{name}** 에이전트예요. 무엇을 해 드릴까요?",
    agent_run="이 에이전트의 스크립트를 실행할게요.",
    agent_report=(
        "실행한 결과예요.\n\n{output}\n\n저는 연습 모델이라 말씀에 맞춰 새로 답하지는 못하고, 이 에이전트의 `main.py`를 실행해 보여 드렸어요. "
        "`ANTHROPIC_API_KEY`를 설정하고 플랫폼을 다시 시작하면 진짜 모델이 지침에 따라 일해요."
    ),
    only_words=(
        "**{name}** 에이전트를 생각해 봤어요. {does}\n\n이 대화에는 파일을 쓰는 도구가 없어서 여기까지만 할 수 있어요. "
        "저는 API 키 없이 체험하기 위한 연습 모델이에요."
    ),
)

EN = Words(
    greeting=(
        "Hello! What would you like to automate on the AI agent platform? "
        "Tell me briefly what your agent is for, or which work you want off your hands."
    ),
    thanks="Glad it helps. Tell me whenever something should change.",
    who=(
        "I am the **practice model** that comes with this platform. I answer by a script, without a network and without an API key; "
        "the files and commands are real, and the real Claude Code runs them in your box.\n\n"
        "To work with a real model, set `ANTHROPIC_API_KEY` and start the platform again. Conversations and files stay as they are."
    ),
    more=(
        "That is more than I can do. I am the **practice model**, made for trying the platform without an API key, and I know only a few things.\n\n"
        "What I can do now:\n"
        '- Change the instructions: "leave out weekends", "add a summary"\n'
        '- Change the name: "change the name to Morning desk"\n'
        '- Run it once more: "run it again"\n\n'
        "To build freely, connect a real model: set `ANTHROPIC_API_KEY` and start the platform again. This conversation goes on from here."
    ),
    fine='All right, I stop here. Say "continue" when you want me to go on.',
    which_name="What should the new name be?",
    plan="Good. I will make the agent **{name}**. {does}\n\nThe steps:\n{steps}",
    step_rules="Write the instructions that the agent follows to `CLAUDE.md`.",
    step_script="Write `main.py`, a small script that works without a network.",
    step_run="Run it once and look at the result. I will ask you before it runs.",
    doing_draft="First the name and the description.",
    doing_name="I will change the name.",
    doing_rules="Now the instructions.",
    doing_script="Now the script.",
    doing_run="Let me run it once to see that it works.",
    reading="Let me read what is there first.",
    unread="I could not read `CLAUDE.md`, so I left it alone. Check that it is there, then tell me again.",
    looking="Let me see what is here.",
    nothing_here="There is nothing to run in this folder yet. Tell me what you want automated, and I will build it.",
    run_description="Run the script once on sample data",
    going_on="Going on from here.",
    denied_run=(
        "All right, I will not run it. The files are written and stay.\n\n"
        "You could:\n"
        '- look at `main.py` first, and say "run it again" when you are happy with it,\n'
        "- or tell me what to change, and I start with the instructions."
    ),
    denied_write='All right, I will not write that file. Tell me what to do differently, or say "continue" to go on as planned.',
    denied_said='I have read your note: "{message}"',
    failed_run=(
        "It ran, and failed. This is what came out:\n\n{output}\n\nI will not simply repeat it. "
        'Check that `python3` is there, then say "run it again".'
    ),
    failed_write='The file could not be written. This is what came out:\n\n{output}\n\nSay "continue" and I will try again.',
    report=(
        "It ran, and this is the result:\n\n{output}\n\nThe first version of **{name}** is ready.\n"
        "- `CLAUDE.md`: the instructions the agent follows\n"
        "- `main.py`: a script that works on sample data\n\n"
        "Tell me what to change and I will put it into the instructions. I am the practice model, so I cannot work with your real data. Set "
        "`ANTHROPIC_API_KEY` and start the platform again, and a real model goes on from here."
    ),
    reported_again="I ran it again. This is the result:\n\n{output}",
    no_output="(nothing was printed)",
    renamed="The new name is **{name}**.",
    added=(
        'It is in `CLAUDE.md` now: "{text}"\n\nI left the sample in `main.py` as it was. Rewriting the script takes a real model.'
    ),
    all_done='All that was planned is done. Say "run it again" for another run, or tell me what to change.',
    agent_greeting="Hello. I am the agent **{name}**. What shall I do?",
    agent_run="I will run this agent's script.",
    agent_report=(
        "This is the result:\n\n{output}\n\nI am the practice model, so I cannot answer in my own words what you ask; I ran this agent's `main.py`. "
        "Set `ANTHROPIC_API_KEY` and start the platform again, and a real model works by the instructions."
    ),
    only_words=(
        "I have thought of an agent **{name}**. {does}\n\nThis conversation has no tool for writing files, so this is as far as I get. "
        "I am the practice model, made for trying the platform without an API key."
    ),
)

WORDS: dict[Language, Words] = {"ko": KO, "en": EN}
