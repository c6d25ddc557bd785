"""The result of a turn: the CLI's `result` line as an outcome and a reason that a person can act on."""

import re
from typing import Any, Literal

import msgspec
from msgspec import structs

from core.domain.events import TurnFinished, Usage
from core.protocol.gateway_api import BAD_TOKEN

DETAIL_CHARS = 1000
TAMPERED = "tampered"  # the CLI did what it was not told, see tamper_check.py
Outcome = Literal["ok", "error", "interrupted", "limit"]

# The first match decides. The text is the CLI's `result`, which quotes the gateway or the provider.
_TEXTS: tuple[tuple[str, Outcome, str], ...] = (
    (rf"\b{BAD_TOKEN}\b", "error", "model_error"),  # the next CLI has a new token, so the message may be sent again
    (r"spend_limit|spending limit|credit balance", "limit", "spend_limit"),
    (r"\bmax_turns\b", "limit", "max_turns"),
    (r"prompt is too long|too_long|context (window|length)|request.too.large|too_large", "error", "too_long"),
    (r"model_key_refused|(authentication|permission)_error|invalid.{0,10}api.?key|\b40[13]\b", "error",
     "model_key_refused"),
    (r"safety classifier|usage policy|unable to respond to this request", "error", "model_declined"),
    (r"overloaded|rate.?limit|\b429\b|\b529\b", "error", "model_overloaded"),
    (r"timed? ?out|timeout|connection|socket|network|ECONN", "error", "no_answer"),
)  # fmt: skip
_STATUS: dict[int, str] = {
    400: "request_refused",
    401: "model_key_refused",
    403: "model_key_refused",
    413: "too_long",
    429: "model_overloaded",
    529: "model_overloaded",
}


class TurnResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a turn of the CLI. `uuids` are those of our messages that it took in; None if it did not tell."""

    outcome: Outcome
    reason: str = ""
    detail: str = ""
    usage: Usage = Usage()
    duration_s: float = 0.0
    uuids: tuple[str, ...] | None = None
    model: str = ""  # this and the next two come from core.runner.context_usage
    context_tokens: int = 0
    window_tokens: int = 0
    anchor: str = ""  # the CLI's id of its last message in the main conversation

    def event(self, duration_s: float, waited_s: float = 0.0) -> TurnFinished:
        """Return the event to store. We measure the duration ourselves; the gateway adds the cost."""
        return TurnFinished(
            outcome=self.outcome,
            reason=self.reason,
            detail=self.detail,
            usage=self.usage,
            duration_s=duration_s,
            waited_s=waited_s,
            model=self.model,
            context_tokens=self.context_tokens,
            window_tokens=self.window_tokens,
            anchor=self.anchor,
        )


def turn_over(said: dict[str, Any]) -> TurnResult:
    """Read a `result` line. It uses `is_error`, because failures of the API have the subtype "success"."""
    outcome, reason = _verdict(said)
    usage = said.get("usage")
    uuids = said.get("user_message_uuids")
    return TurnResult(
        outcome=outcome,
        reason=reason,
        detail="" if outcome in ("ok", "interrupted") else _detail(said),
        usage=_usage(usage if isinstance(usage, dict) else {}),
        duration_s=round(amount(said.get("duration_ms")) / 1000, 3),
        uuids=tuple(uuid for uuid in uuids if isinstance(uuid, str)) if isinstance(uuids, list) else None,
    )


def retry_reason(status: object, error: str) -> str:
    """Return the reason code of why the model is asked again."""
    if isinstance(status, int):
        return _STATUS.get(status, "model_error")
    return "model_overloaded" if "overloaded" in error or "rate_limit" in error else "no_answer"


def stopped(reason: str, told: TurnResult | None = None, detail: str = "") -> TurnResult:
    """Return the end of a turn that we ended. If the model never answered, that is an error, not a person's wish.

    `told` is the CLI's own result; its counts stay.
    """
    outcome: Outcome = "error" if reason in ("no_answer", TAMPERED) else "interrupted"
    return structs.replace(told or TurnResult(outcome=outcome), outcome=outcome, reason=reason, detail=detail)


def background_end(reason: str, detail: str) -> TurnFinished:
    """Return the end of background work as a turn of its own. Work that a person stopped is no error."""
    outcome: Outcome = "interrupted" if reason == "stopped_by_user" else "error"
    return TurnFinished(outcome=outcome, reason=reason, detail=detail)


def _verdict(said: dict[str, Any]) -> tuple[Outcome, str]:
    if str(said.get("terminal_reason", "")).startswith("aborted"):
        return "interrupted", "stopped_by_user"
    match said.get("subtype"):
        case "error_max_turns":
            return "limit", "max_turns"
        case "error_max_budget_usd":
            return "limit", "spend_limit"
    if said.get("is_error") is not True:
        return "ok", ""
    detail = _detail(said)
    status = said.get("api_error_status")
    for pattern, outcome, reason in _TEXTS:
        if re.search(pattern, detail, re.I) and (reason != "no_answer" or status is None):
            return outcome, reason
    return "error", _STATUS.get(status, "model_error") if isinstance(status, int) else "model_error"


def _detail(said: dict[str, Any]) -> str:
    errors = said.get("errors")
    words = [word for word in errors if isinstance(word, str)] if isinstance(errors, list) else []
    result = said.get("result")
    return ("; ".join(words) or (result if isinstance(result, str) else ""))[:DETAIL_CHARS]


def _usage(raw: dict[str, Any]) -> Usage:
    return Usage(
        input_tokens=int(amount(raw.get("input_tokens"))),
        output_tokens=int(amount(raw.get("output_tokens"))),
        cache_read_tokens=int(amount(raw.get("cache_read_input_tokens"))),
        cache_write_tokens=int(amount(raw.get("cache_creation_input_tokens"))),
    )


def amount(value: object) -> float:
    """Return a count of the CLI as a number; 0 if it is none, or impossible."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < 1e15 else 0.0  # type: ignore[operator, arg-type]
