"""What the practice model answers: text and tool calls, as a function of the conversation and of nothing else."""

from collections.abc import Callable

from core.gateway.practice.calls import (
    NOTE_CHARS,
    Block,
    Speak,
    Step,
    Use,
    added_to,
    call_in,
    fence,
    note_of,
    refusal,
    run_script,
    step_of,
    told,
)
from core.gateway.practice.hearing import Heard, Kind, listen
from core.gateway.practice.phrasebook import Sentences, sentences
from core.gateway.practice.project import Project, project_of
from core.gateway.practice.talk import Called, Talk
from core.gateway.practice.topic_match import topic_of
from core.protocol.platform_tools import DRAFT_AGENT_TOOL as DRAFT

MAX_CALLS = 24  # after one utterance; a plan has six steps at most, so more is a circle
UNREAD = "has not been read yet"  # the CLI writes over a file only after it was read in this process


def build(talk: Talk) -> tuple[Block, ...]:
    """The next message of the model in a builder session."""
    heard = listen(talk)
    if not heard:
        return (Speak(text=sentences("ko").greeting),)
    return _Answer(talk, heard).blocks()


class _Answer:
    """One answer in the making: what was heard last, what it wants, and how far that has come."""

    def __init__(self, talk: Talk, heard: list[Heard]) -> None:
        self._talk, self._last = talk, heard[-1]
        self._project = project_of(talk, heard)
        self._words: Sentences = sentences(talk.language(self._last.at))
        self._calls = [(at, item) for at, item in enumerate(talk.items) if isinstance(item, Called)]
        self._since = [call for at, call in self._calls if at > self._last.at]

    def blocks(self) -> tuple[Block, ...]:
        words, project = self._words, self._project
        if plain := self._plain():
            return (Speak(text=plain),)
        if project is None and self._last.kind is Kind.RUN:
            return self._look()
        if project is None or len(self._since) > MAX_CALLS:
            return (Speak(text=words.more),)
        if not self._talk.tools & {"Write", "Bash"}:
            return (Speak(text=words.only_words.format(name=project.name, does=project.does)),)
        return self._work(project)

    def _plain(self) -> str:
        """The answer to what needs no work; empty if it does."""
        words = self._words
        match self._last.kind:
            case Kind.GREET:
                return words.greeting
            case Kind.THANK:
                return words.thanks
            case Kind.WHO:
                return words.who
            case Kind.NO:
                return words.fine
            case Kind.MORE:
                return words.more
            case Kind.NAMELESS:
                return words.which_name
            case Kind.WISH:
                return topic_of(self._last.text).texts[self._talk.language(self._last.at)].question
            case Kind.DENIED:
                noted = call_in(self._last.text)
                return refusal(words, added_to(self._last.text), of_run=noted is None or noted.name == "Bash")
        return ""

    def _look(self) -> tuple[Block, ...]:
        """Told to run what was built in a conversation that is not this one: if it is there, it is run."""
        words = self._words
        looks = [call for call in self._since if call.name == "Read"]
        if not looks and "Read" in self._talk.tools:
            return (Speak(text=words.looking), Use(name="Read", input={"file_path": self._path("main.py")}))
        if not looks or looks[-1].outcome != "ok":
            return (Speak(text=words.nothing_here),)
        runs = [call for call in self._since if step_of(call) is Step.RUN]
        if runs:
            return (Speak(text=told(runs[-1], words, words.reported_again)),)
        run = self._run()
        return (Speak(text=words.doing_run), run) if run else (Speak(text=words.more),)

    def _work(self, project: Project) -> tuple[Block, ...]:
        if self._last.kind in (Kind.ALLOWED, Kind.GO_ON) and not self._since and (use := self._left_open()):
            return (Speak(text=self._words.going_on), use)
        for step, since in self._plan(project):
            if blocks := self._do(step, since, project):
                return blocks
        return (Speak(text=self._done(project)),)

    def _plan(self, project: Project) -> list[tuple[Step, int]]:
        """Steps, and from which place on a call counts for them."""
        now, began = self._last.at, project.began
        match self._last.kind:
            case Kind.RUN:
                return [(Step.RUN, now)]
            case Kind.RENAME if project.before:
                return [(Step.DRAFT, now), (Step.RULES, now)]
            case _ if project.before:
                return [(Step.RULES, now)] if self._last.kind is Kind.ADD else []
            case Kind.RENAME | Kind.ADD:
                renamed = [(Step.DRAFT, now)] if self._last.kind is Kind.RENAME else []
                rest = [(step, began) for step in (Step.SCRIPT, Step.RUN) if not self._tried(step, began)]
                return [*renamed, (Step.RULES, now), *rest]
            case _:
                return [(step, began) for step in Step]

    def _tried(self, step: Step, since: int) -> bool:
        """Before the last words; what came after them belongs to what they set off."""
        return any(since < at < self._last.at and step_of(call) is step for at, call in self._calls)

    def _do(self, step: Step, since: int, project: Project) -> tuple[Block, ...]:
        """What this step still needs; nothing if it is done or cannot be done here."""
        calls = [(at, call) for at, call in self._calls if at > since and step_of(call) is step]
        at, call = calls[-1] if calls else (-1, None)
        if call is None or (call.outcome != "ok" and at < self._last.at):
            return self._begin(step, project)
        match call.outcome:
            case "ok":
                return ()
            case "denied" | "failed" if step is Step.DRAFT:
                return ()  # the agent can be named later, by hand
            case "denied":
                return (Speak(text=refusal(self._words, note_of(call.result), of_run=step is Step.RUN)),)
            case "failed" if step is Step.RUN:
                return (Speak(text=self._words.failed_run.format(output=fence(call.result))),)
            case "failed" if UNREAD in call.result and (blocks := self._read_first(at, step, project)):
                return blocks
            case "failed":
                return (Speak(text=self._words.failed_write.format(output=fence(call.result))),)
        return self._begin(step, project)

    def _read_first(self, failed_at: int, step: Step, project: Project) -> tuple[Block, ...]:
        path = self._path("CLAUDE.md" if step is Step.RULES else "main.py")
        reads = [
            at
            for at, call in self._calls
            if at > self._last.at and call.name == "Read" and call.input.get("file_path") == path
        ]
        if not reads:
            return (Speak(text=self._words.reading), Use(name="Read", input={"file_path": path}))
        return self._begin(step, project) if reads[-1] > failed_at else ()

    def _begin(self, step: Step, project: Project) -> tuple[Block, ...]:
        words = self._words
        match step:
            case Step.DRAFT:
                use = self._draft(project)
                line = words.doing_name if self._last.kind is Kind.RENAME else words.doing_draft
            case Step.RULES if project.before and not project.text:
                return self._reading()
            case Step.RULES:
                use = self._write("CLAUDE.md", project.guide)
                line = words.doing_rules
            case Step.SCRIPT:
                use = self._write("main.py", project.script)
                line = words.doing_script
            case Step.RUN:
                use = self._run()
                line = words.doing_run
        if use is None:
            return ()
        return (Speak(text=line if self._since else self._opening(line, project)), use)

    def _reading(self) -> tuple[Block, ...]:
        """Before a file that others wrote is changed; once."""
        path = self._path("CLAUDE.md")
        if any(call.name == "Read" and call.input.get("file_path") == path for call in self._since):
            return (Speak(text=self._words.unread),)
        return (Speak(text=self._words.reading), Use(name="Read", input={"file_path": path}))

    def _opening(self, line: str, project: Project) -> str:
        """The words before the first call: the plan when building begins."""
        words = self._words
        if self._last.kind not in (Kind.ANSWER, Kind.DETAILED):
            return line
        steps = (words.step_rules, words.step_script, words.step_run)
        numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
        return words.plan.format(name=project.name, does=project.does, steps=numbered)

    def _draft(self, project: Project) -> Use | None:
        if DRAFT in self._talk.tools:
            about = {} if project.before else {"description": project.does, "icon": project.topic.icon}
            return Use(name=DRAFT, input={"name": project.name, "description": "", "icon": ""} | about)
        looked = any(call.name == "ToolSearch" for call in self._since)
        if self._talk.later_tools and not looked:
            return Use(name="ToolSearch", input={"query": f"select:{DRAFT}", "max_results": 1})
        return None

    def _write(self, name: str, content: Callable[[], str]) -> Use | None:
        if "Write" not in self._talk.tools:
            return None
        return Use(name="Write", input={"file_path": self._path(name), "content": content()})

    def _run(self) -> Use | None:
        return run_script(self._words.run_description) if "Bash" in self._talk.tools else None

    def _path(self, name: str) -> str:
        return f"{self._talk.folder.rstrip('/')}/{name}" if self._talk.folder else name

    def _left_open(self) -> Use | None:
        """The call before the last words that came to no good end; that is what "allowed" and "go on" mean.

        A note of the platform names it exactly, and the CLI may have dropped it from the conversation.
        """
        if self._last.kind is Kind.ALLOWED and (noted := call_in(self._last.text)):
            return noted
        before = [call for at, call in self._calls if at < self._last.at and call.name not in ("ToolSearch", "Read")]
        if before and before[-1].outcome != "ok":
            return Use(name=before[-1].name, input=before[-1].input)
        return None

    def _done(self, project: Project) -> str:
        words = self._words
        runs = [call for call in self._since if step_of(call) is Step.RUN]
        if runs:
            output = fence(runs[-1].result) if runs[-1].result.strip() else words.no_output
            again = project.before or any(at < self._last.at and _ran(call) for at, call in self._calls)
            return (words.reported_again if again else words.report).format(output=output, name=project.name)
        match self._last.kind:
            case Kind.RENAME:
                return words.renamed.format(name=project.name)
            case Kind.ADD:
                return words.added.format(text=" ".join(self._last.text.split())[:NOTE_CHARS])
        return words.all_done


def _ran(call: Called) -> bool:
    return step_of(call) is Step.RUN and call.outcome == "ok"
