"""Tests of the forms for platform tools. A page is drawn whatever a box has put into its log."""

from typing import Any

import pytest

from core.domain.events import Asked
from core.protocol import platform_tools as ours
from ui.layout.i18n import words
from ui.transcript.request_view import RequestView, card


def shown(tool: str, given: dict[str, Any], locale: str = "ko") -> RequestView:
    asked = Asked(request_id="r1", kind="permission", tool=tool, input=given)
    return card(asked, parked=False, words=words(locale))


def test_a_secret_is_named_and_explained_and_has_a_field() -> None:
    form = shown(ours.REQUEST_SECRET_TOOL, {"name": "SLACK_TOKEN", "why": "올릴 때 써요.\u202e"}).form
    assert form and form.title == "SLACK_TOKEN을 넣어 주세요"
    assert form.why == "올릴 때 써요.⟨U+202E⟩" and "SLACK_TOKEN" in form.field


def test_a_schedule_is_said_in_words_with_its_next_times() -> None:
    given = {"when": "매일 오전 9시", "timezone": "Asia/Seoul"}
    form = shown(ours.PROPOSE_SCHEDULE_TOOL, given).form
    assert form
    when, zone, times, doing = [value for _, value in form.rows]
    assert (when, zone, doing) == ("매일 오전 9시", "Asia/Seoul", "지침대로")
    assert len(times.splitlines()) == 3 and all("오전 9:00" in line for line in times.splitlines())
    cron = shown(ours.PROPOSE_SCHEDULE_TOOL, {"cron": "7 3 1-9 * *", "timezone": "UTC"}, "en").form
    assert cron and cron.rows[0][1] == "7 3 1-9 * *", "what words cannot say is shown as it is"


@pytest.mark.parametrize(
    "given", [{}, {"when": "whenever"}, {"when": 5}, {"at": "2001-01-01T00:00Z", "timezone": "UTC"}]
)
def test_a_schedule_that_is_none_is_shown_as_what_it_is(given: dict[str, Any]) -> None:
    view = shown(ours.PROPOSE_SCHEDULE_TOOL, given)
    assert view.form is None and len(view.rows) == len(given)


@pytest.mark.parametrize("tool", [ours.REQUEST_SECRET_TOOL, ours.PUBLISH_AGENT_TOOL])
def test_what_has_another_shape_is_left_out(tool: str) -> None:
    view = shown(tool, {"name": ["x"], "note": {"y": 1}, "why": 7})
    assert view.form and view.form.why == ""
