"""The forms for requests of platform tools: a secret, a schedule with its next times, a publication."""

from typing import Final

import msgspec

from core.domain.errors import BadInput
from core.domain.events import Asked
from core.domain.records import now
from core.domain.schedules import upcoming
from core.domain.visible_text import visible
from core.protocol.platform_tools import PROPOSE_SCHEDULE_TOOL, PUBLISH_AGENT_TOOL, REQUEST_SECRET_TOOL
from core.tools.propose_schedule import read_proposal, schedule_of
from ui.layout.i18n import Translations
from ui.runs.sentences import spoken

TIMES: Final = 3
TEXT_CHARS: Final = 2000


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A request with words and buttons of its own. `why` is the model's words; `rows` and `note` are the platform's.

    `field` is the label of the value that a yes brings with it, `change` the label of a no that says what to change.
    `tests` is the label of a row that the page fills with the outcome of the agent's newest test run.
    """

    testid: str
    icon: str
    title: str
    yes: str
    no: str
    why: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    note: str = ""
    field: str = ""
    change: str = ""
    tests: str = ""


def form_of(asked: Asked, words: Translations) -> Form | None:
    """The form of this request; None for what is shown as an ordinary permission."""
    if asked.tool == REQUEST_SECRET_TOOL:
        return _secret(asked, words)
    if asked.tool == PROPOSE_SCHEDULE_TOOL:
        return _schedule(asked, words)
    if asked.tool == PUBLISH_AGENT_TOOL:
        return Form(
            testid="publish-form",
            icon="rocket",
            title=words.t("ours.publish_title"),
            rows=((words.t("ours.publish_note"), _text(asked, "note")),),
            note=words.t("ours.publish_hint"),
            yes=words.t("ours.publish_yes"),
            no=words.t("ours.not_yet"),
            change=words.t("ours.change"),
            tests=words.t("agent.tests"),
        )
    return None


def _secret(asked: Asked, words: Translations) -> Form:
    name = _text(asked, "name")
    return Form(
        testid="secret-form",
        icon="lock",
        title=words.t("ours.secret_title", name=name),
        why=_text(asked, "why"),
        field=words.t("ours.secret_field", name=name),
        note=words.t("ours.secret_hint"),
        yes=words.t("ours.secret_yes"),
        no=words.t("ours.secret_no"),
    )


def _schedule(asked: Asked, words: Translations) -> Form | None:
    try:
        given = read_proposal(asked.input)
        schedule = schedule_of(given)
    except BadInput:  # its log is what a box says; or its one time has passed since
        return None
    times = "\n".join(words.full(at) for at in upcoming(schedule, now(), count=TIMES))
    said = visible(given.input) or words.t("ours.schedule_no_input")
    return Form(
        testid="schedule-proposal",
        icon="cal",
        title=words.t("ours.schedule_title"),
        rows=(
            (words.t("ours.schedule_when"), spoken(schedule, words)),
            (words.t("ours.schedule_zone"), schedule.timezone),
            (words.t("ours.schedule_next"), times),
            (words.t("ours.schedule_input"), said),
        ),
        note=words.t("ours.schedule_hint"),
        yes=words.t("ours.schedule_yes"),
        no=words.t("ours.schedule_no"),
        change=words.t("ours.change"),
    )


def _text(asked: Asked, name: str) -> str:
    value = asked.input.get(name)
    return visible(value[:TEXT_CHARS]) if isinstance(value, str) else ""
