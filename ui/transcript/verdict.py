"""The results of an agent's tests as HTML: a line over all, and a card for each case with its checks and evidence.

All values are the agent's or a model's words, and are escaped here. Facts of the platform carry a tick or a cross; what
a model judged is marked as the model's.
"""

from html import escape
from typing import Final

import msgspec

from core.domain.agent_tests import CaseResult, CheckKind, CheckResult
from core.domain.events import ToolReturned
from core.domain.visible_text import visible
from core.tools.try_agent import TryReport
from ui.layout.i18n import Translations
from ui.runs.sentences import reason_words
from ui.transcript.icons import icon
from ui.transcript.session_stats import cost_text

TEXT_CHARS: Final = 600
PLACED: Final = (CheckKind.CONTAINS, CheckKind.LACKS, CheckKind.MATCHES)  # in the answer, or in a file


def report_of(result: ToolReturned | None) -> TryReport | None:
    """The report in what `try_agent` returned; None if there is none that can be drawn."""
    if result is None or not result.ok:
        return None
    try:
        report = msgspec.json.decode(result.content, type=TryReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return report if report.results else None


def head(results: tuple[CaseResult, ...], words: Translations) -> str:
    """One sentence over all cases, and what they took together."""
    passed = sum(one.state == "passed" for one in results)
    took = _took(sum(one.seconds for one in results), sum(one.cost_usd for one in results), words)
    told = words.t("tests.passed_of", passed=str(passed), all=str(len(results)))
    return f'<p class="verdict-head"><b>{escape(told)}</b> <span class="meta">{escape(took)}</span></p>'


def cards(results: tuple[CaseResult, ...], words: Translations) -> str:
    """A card for each case, the failed ones first."""
    ordered = sorted(results, key=lambda one: one.state == "passed")
    return "".join(card(one, words) for one in ordered)


def card(result: CaseResult, words: Translations) -> str:
    """The card of one case; a failed one is open."""
    passed, title = result.state == "passed", _text(result.case.title or result.case.name)
    mark = f'<span class="{"ok" if passed else "bad"} row">{icon("check" if passed else "x")}</span>'
    state = words.t(f"tests.{result.state}")
    took = _took(result.seconds, result.cost_usd, words)
    meta = f'<span class="meta"><span class="{"" if passed else "bad"}">{escape(state)}</span> · {escape(took)}</span>'
    checks = "".join(_check(one, words) for one in sorted(result.checks, key=lambda one: one.passed))
    files = "".join(f'<span class="chip">{icon("file")}{_text(path)} · {words.size(size)}</span>'
                    for path, size in result.files)  # fmt: skip
    return (
        f'<details class="card verdict" data-testid="verdict" data-state="{result.state}"{"" if passed else " open"}>'
        f'<summary>{icon("right", "chev")}{mark}<span class="b cut">{title}</span>{meta}</summary>'
        f'<div class="two">{_side(words.t("tests.wanted"), wanted(result, words))}'
        f"{_side(words.t('tests.happened'), happened(result, words))}</div>"
        f'<ul class="checks">{checks}</ul>'
        f"{f'<div class=files>{files}</div>' if files else ''}</details>"
    )


def wanted(result: CaseResult, words: Translations) -> str:
    """Return what the case wants and what must not happen, in words."""
    case = result.case
    never = f"{words.t('tests.never')} {case.never}" if case.never else ""
    return visible("\n".join(part for part in (case.expect or words.t("tests.as_checks"), never) if part))[:TEXT_CHARS]


def happened(result: CaseResult, words: Translations) -> str:
    """Return what the agent said in the run of the case, without the marks of code blocks."""
    said = (line for line in result.happened.splitlines() if line.strip() and not line.startswith("```"))
    return visible("\n".join(said))[:TEXT_CHARS] or words.t("tests.nothing_said")


def evidence(one: CheckResult, words: Translations) -> str:
    """Return what was found; of a run that did not end well, why."""
    if one.kind is CheckKind.ENDED and one.evidence:
        return reason_words(one.evidence, words)
    return visible(one.evidence[:TEXT_CHARS])


def _side(name: str, text: str) -> str:
    return f'<div><p class="tiny">{escape(name)}</p><p>{escape(text, quote=False)}</p></div>'


def _check(one: CheckResult, words: Translations) -> str:
    mark = f'<span class="{"ok" if one.passed else "bad"} row">{icon("check" if one.passed else "x")}</span>'
    found = escape(evidence(one, words), quote=False)
    shown = f'<div class="tried">{found}</div>' if found and not one.passed else ""
    beside = f'<span class="end tiny">{found}</span>' if found and one.passed else ""
    if one.kind is CheckKind.JUDGED:
        by = f'<span class="muted">{escape(words.t("tests.by_model"))}</span>'
        told = f"{by} {_text(one.text)}"
    else:
        told = escape(sentence(one, words))
    classes = "" if one.passed else "bad"
    return f'<li class="{classes}">{mark}<span class="grow"><span>{told}</span>{shown}</span>{beside}</li>'


def sentence(one: CheckResult, words: Translations) -> str:
    """Return the check as a sentence: a fact if it passed, a demand if it did not."""
    place = "_file" if one.path and one.kind in PLACED else ""
    values = {"text": visible(one.text)[:TEXT_CHARS], "path": visible(one.path), "exit": str(one.code)}
    if one.passed:
        return words.code("check_ok", f"{one.kind}{place}", "ended", **values)
    return words.code("check_bad", f"{one.kind}{place}", "ended", **values)


def _took(seconds: float, cost_usd: float, words: Translations) -> str:
    return " · ".join(part for part in (words.lasting(seconds), cost_text(cost_usd, 0, words)) if part)


def _text(text: str) -> str:
    return escape(visible(text[:TEXT_CHARS]), quote=False)
