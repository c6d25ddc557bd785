"""The card above the composer with the oldest open request (G5). An answer counts once the runner has taken it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from core.domain.events import Reply
from ui.layout.i18n import Translations
from ui.transcript.reducer import Meta
from ui.transcript.transcript import ITEMS_JS

LABELS: Final = (
    "allow always always_none always_now always_sure whole whole_lines show_all deny deny_with deny_message why rule "
    "rule_hint rule_all waiting parked other_answer choose answer skip plan_go plan_more plan_message value_missing "
    "several s m h"
).split()
# Said at the field where the person can mend it: of the rule, of the value.
AT_FIELD: Final = frozenset({"bad_rule", "rule_misses", "short_secret", "bad_secret", "secrets_full"})
DECISIONS: Final = frozenset({"allow", "allow_always", "deny", "answer"})
Answer = Callable[..., Awaitable[None]]
Outcome = Callable[[], Awaitable[tuple[str, bool]]]  # of the newest test run, and whether it is bad news


class RequestCard(Element, component="request_card.js", dependencies=[ITEMS_JS]):
    """Shows the oldest open request of `meta`; `answer(request_id, decision=…, message=…, rule=…, replies=…)`.

    A value that was asked for comes as `secret`; nothing of this page keeps it.
    `among`: one of several on the page. It takes no focus by itself, and hears only keys pressed inside it.
    """

    def __init__(
        self,
        *,
        words: Translations,
        meta: Meta,
        answer: Answer,
        fail: Callable[[Exception], None],
        outcome: Outcome,
        among: bool = False,
    ) -> None:
        super().__init__()
        self._outcome = outcome
        self._words, self._answer, self._fail = words, answer, fail
        self.props["among"] = among
        self.props["start"] = msgspec.to_builtins(meta)
        self.props["words"] = {label: words.t(f"card.{label}") for label in LABELS}
        self.on("answer", self._answered)
        self.on("outcome", self._asked_outcome)

    async def _asked_outcome(self, event: GenericEventArguments) -> None:
        """The card asks whether to publish: tell it what the agent's tests said."""
        try:
            text, is_bad = await self._outcome()
        except PlatformError as error:
            self._fail(error)
            return
        self.run_method("outcome", str(event.args), text, is_bad)

    async def _answered(self, event: GenericEventArguments) -> None:
        said: dict[str, Any] = event.args if isinstance(event.args, dict) else {}
        replies = said.get("replies")
        decision = str(said.get("decision", ""))
        if decision not in DECISIONS:
            return
        more: dict[str, Any] = {"secret": str(said["secret"]).strip("\r\n")} if said.get("secret") else {}
        try:
            await self._answer(
                str(said.get("id", "")),
                decision=decision,
                message=str(said.get("message", "")),
                rule=str(said.get("rule", "")),
                replies={str(k): _reply(v) for k, v in replies.items()} if isinstance(replies, dict) else None,
                **more,
            )
        except PlatformError as error:
            sentence = self._words.t(f"error.{error.code}") if error.code in AT_FIELD else ""
            if not sentence:
                self._fail(error)
            self.run_method("refused", str(said.get("id", "")), sentence)


def _reply(said: Any) -> Reply:
    """Read the answer to one question as the browser sends it."""
    given: dict[str, Any] = said if isinstance(said, dict) else {}
    choices = given.get("choices")
    return Reply(choices=tuple(map(str, choices)) if isinstance(choices, list) else (), text=str(given.get("text", "")))
