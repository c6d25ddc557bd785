"""The practice model in a builder session: its text and tool calls follow from the conversation alone."""

from collections.abc import Callable

from core.gateway.practice.conversation import ChatHistory, PastToolUse
from core.gateway.practice.handover import STEPS, Handover
from core.gateway.practice.phrasebook import Sentences, phrasebook, sentences
from core.gateway.practice.project import Project, project_of
from core.gateway.practice.tool_uses import (
    NOTE_CHARS,
    Block,
    Step,
    TextBlock,
    ToolUseBlock,
    added_to,
    call_in,
    fence,
    note_of,
    refusal,
    run_report,
    run_script,
    step_of,
)
from core.gateway.practice.topic_match import topic_of
from core.gateway.practice.utterances import Kind, Utterance, utterances
from core.protocol.platform_tools import DRAFT_AGENT_TOOL as DRAFT

MAX_CALLS = 24  # after one utterance; a plan has six steps at most, so more is a circle
UNREAD = "has not been read yet"  # the CLI writes over a file only after it was read in this process


def builder_answer(conversation: ChatHistory) -> tuple[Block, ...]:
    """Return the model's next message in a builder session."""
    heard = utterances(conversation)
    if not heard:
        return (TextBlock(text=sentences("ko").greeting),)
    return _Answer(conversation, heard).blocks()


class _Answer:
    """Computes one answer from the last utterance and from how far the work has come."""

    def __init__(self, conversation: ChatHistory, heard: list[Utterance]) -> None:
        self._conversation, self._last = conversation, heard[-1]
        self._project = project_of(conversation, heard)
        self._words: Sentences = sentences(conversation.language(self._last.at))
        self._calls = [(at, item) for at, item in enumerate(conversation.items) if isinstance(item, PastToolUse)]
        self._since = [call for at, call in self._calls if at > self._last.at]

    def blocks(self) -> tuple[Block, ...]:
        words, project = self._words, self._project
        if plain := self._plain():
            return (TextBlock(text=plain),)
        if project is None and self._last.kind is Kind.RUN:
            return self._look()
        if project is None or len(self._since) > MAX_CALLS:
            return (TextBlock(text=words.more),)
        if not self._conversation.tools & {"Write", "Bash"}:
            return (TextBlock(text=words.only_words.format(name=project.name, does=project.does)),)
        return self._work(project)

    def _plain(self) -> str:
        """Return the answer to an utterance that needs no work; empty if work is needed."""
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
                return topic_of(self._last.text).texts[self._conversation.language(self._last.at)].question
            case Kind.DENIED:
                noted = call_in(self._last.text)
                return refusal(words, added_to(self._last.text), of_run=noted is None or noted.name == "Bash")
        return ""

    def _look(self) -> tuple[Block, ...]:
        """Run what another conversation built, if it is in the folder."""
        words = self._words
        looks = [call for call in self._since if call.name == "Read"]
        if not looks and "Read" in self._conversation.tools:
            return (
                TextBlock(text=words.looking),
                ToolUseBlock(name="Read", input={"file_path": self._path("main.py")}),
            )
        if not looks or looks[-1].outcome != "ok":
            return (TextBlock(text=words.nothing_here),)
        runs = [call for call in self._since if step_of(call) is Step.RUN]
        if runs:
            return (TextBlock(text=run_report(runs[-1], words, words.reported_again)),)
        run = self._run()
        return (TextBlock(text=words.doing_run), run) if run else (TextBlock(text=words.more),)

    def _work(self, project: Project) -> tuple[Block, ...]:
        if self._last.kind in (Kind.ALLOWED, Kind.GO_ON) and not self._since and (use := self._left_open()):
            return (TextBlock(text=self._words.going_on), use)
        for step, since in self._plan(project):
            if blocks := self._do(step, since, project):
                return blocks
        return (TextBlock(text=self._done(project)),)

    def _plan(self, project: Project) -> list[tuple[Step, int]]:
        """Return the steps, each with the position from which on a call counts for it."""
        now, began = self._last.at, project.began
        match self._last.kind:
            case Kind.RUN:
                return [(Step.RUN, now)]
            case Kind.TEST:
                return [(Step.TRY, now), *((step, began) for step in (Step.SCHEDULE, Step.PUBLISH))]
            case Kind.PUBLISH:
                return [(Step.PUBLISH, now)]
            case Kind.RENAME if project.before:
                return [(Step.DRAFT, now), (Step.RULES, now)]
            case _ if project.before:
                return [(Step.RULES, now)] if self._last.kind is Kind.ADD else []
            case Kind.RENAME | Kind.ADD:
                renamed = [(Step.DRAFT, now)] if self._last.kind is Kind.RENAME else []
                rest = [(step, began) for step in (Step.SCRIPT, Step.RUN) if not self._tried(step, began)]
                return [*renamed, (Step.RULES, now), *rest]
            case _:
                return [(step, began) for step in Step if step not in STEPS or self._handover(project).wants(step)]

    def _tried(self, step: Step, since: int) -> bool:
        """Return whether the step was tried before the last utterance; later calls belong to what that set off."""
        return any(since < at < self._last.at and step_of(call) is step for at, call in self._calls)

    def _do(self, step: Step, since: int, project: Project) -> tuple[Block, ...]:
        """Return what this step still needs; nothing if it is done or cannot be done here."""
        calls = [(at, call) for at, call in self._calls if at > since and step_of(call) is step]
        at, call = calls[-1] if calls else (-1, None)
        if call is None or (call.outcome != "ok" and at < self._last.at):
            return self._begin(step, project)
        if step in STEPS:
            return self._after(step, call, project)
        match call.outcome:
            case "ok":
                return ()
            case "denied" | "failed" if step is Step.DRAFT:
                return ()  # the agent can be named later, by hand
            case "denied":
                return (TextBlock(text=refusal(self._words, note_of(call.result), of_run=step is Step.RUN)),)
            case "failed" if step is Step.RUN:
                return (TextBlock(text=self._words.failed_run.format(output=fence(call.result))),)
            case "failed" if UNREAD in call.result and (blocks := self._read_first(at, step, project)):
                return blocks
            case "failed":
                return (TextBlock(text=self._words.failed_write.format(output=fence(call.result))),)
        return self._begin(step, project)

    def _handover(self, project: Project) -> Handover:
        calls = tuple(call for _, call in self._calls)
        return Handover(conversation=self._conversation, project=project, calls=calls)

    def _after(self, step: Step, call: PastToolUse, project: Project) -> tuple[Block, ...]:
        """Return what follows from a call of the last steps: nothing if it is done, or if a person does not want it."""
        handover, words = self._handover(project), phrasebook().languages[project.language].handover
        another = step is Step.SCHEDULE and call.outcome == "denied" and handover.another_time(call)
        if call.outcome is None or another:
            return self._begin(step, project)
        if step is Step.TRY and (red := handover.red()):
            return (TextBlock(text=words.tests_red.format(names=red)),)
        return ()

    def _read_first(self, failed_at: int, step: Step, project: Project) -> tuple[Block, ...]:
        path = self._path("CLAUDE.md" if step is Step.RULES else "main.py")
        reads = [
            at
            for at, call in self._calls
            if at > self._last.at and call.name == "Read" and call.input.get("file_path") == path
        ]
        if not reads:
            return (TextBlock(text=self._words.reading), ToolUseBlock(name="Read", input={"file_path": path}))
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
            case _:
                use, line = self._handover(project).use(step), self._line(step, project)
        if use is None:
            return ()
        return (TextBlock(text=line if self._since else self._opening(line, project)), use)

    def _line(self, step: Step, project: Project) -> str:
        words = phrasebook().languages[project.language].handover
        lines = {Step.SECRET: words.doing_secret, Step.TRY: words.doing_test, Step.SCHEDULE: words.doing_schedule}
        return lines.get(step, words.doing_publish)

    def _reading(self) -> tuple[Block, ...]:
        """Read the file once before changing what others wrote."""
        path = self._path("CLAUDE.md")
        if any(call.name == "Read" and call.input.get("file_path") == path for call in self._since):
            return (TextBlock(text=self._words.unread),)
        return (TextBlock(text=self._words.reading), ToolUseBlock(name="Read", input={"file_path": path}))

    def _opening(self, line: str, project: Project) -> str:
        """Return the text before the first call: the plan when building begins."""
        words = self._words
        if self._last.kind not in (Kind.ANSWER, Kind.DETAILED):
            return line
        steps = (words.step_rules, words.step_script, words.step_run)
        numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
        return words.plan.format(name=project.name, does=project.does, steps=numbered)

    def _draft(self, project: Project) -> ToolUseBlock | None:
        if DRAFT in self._conversation.tools:
            about = {} if project.before else {"description": project.does, "icon": project.topic.icon}
            return ToolUseBlock(name=DRAFT, input={"name": project.name, "description": "", "icon": ""} | about)
        looked = any(call.name == "ToolSearch" for call in self._since)
        if self._conversation.later_tools and not looked:
            return ToolUseBlock(name="ToolSearch", input={"query": f"select:{DRAFT}", "max_results": 1})
        return None

    def _write(self, name: str, content: Callable[[], str]) -> ToolUseBlock | None:
        if "Write" not in self._conversation.tools:
            return None
        return ToolUseBlock(name="Write", input={"file_path": self._path(name), "content": content()})

    def _run(self) -> ToolUseBlock | None:
        return run_script(self._words.run_description) if "Bash" in self._conversation.tools else None

    def _path(self, name: str) -> str:
        return f"{self._conversation.folder.rstrip('/')}/{name}" if self._conversation.folder else name

    def _left_open(self) -> ToolUseBlock | None:
        """Return the last call that did not succeed; "allowed" and "go on" refer to it.

        A note of the platform names it exactly, and the CLI may have dropped it from the conversation.
        """
        if self._last.kind is Kind.ALLOWED and (noted := call_in(self._last.text)):
            return noted
        before = [call for at, call in self._calls if at < self._last.at and call.name not in ("ToolSearch", "Read")]
        if before and before[-1].outcome != "ok":
            return ToolUseBlock(name=before[-1].name, input=before[-1].input)
        return None

    def _done(self, project: Project) -> str:
        words = self._words
        if handed := self._handed_over(project):
            return handed
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

    def _handed_over(self, project: Project) -> str:
        """The last words of a build that went as far as the publication; empty if it did not."""
        made = {step_of(call) for call in self._since if call.outcome == "ok"}
        words = phrasebook().languages[project.language].handover
        if Step.PUBLISH in made:
            when = self._handover(project).when
            return (
                words.published.format(name=project.name, when=when) if when else words.ready.format(name=project.name)
            )
        return words.ready.format(name=project.name) if made & {Step.TRY, Step.SCHEDULE} else ""


def _ran(call: PastToolUse) -> bool:
    return step_of(call) is Step.RUN and call.outcome == "ok"
