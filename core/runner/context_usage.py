"""How full the model's context is: what the last answer of the main conversation took in and gave out.

The CLI's `result` adds up all requests of a turn, so it cannot say; the answers themselves carry the API's own counts.
How much fits is only ever what the CLI says of the model (`modelUsage`), never a table of ours.
"""

from typing import Any

from msgspec import structs

from core.runner.turn_result import TurnResult, amount

Json = dict[str, Any]
MODEL_CHARS = 128
COUNTED = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
MADE_UP = "<synthetic>"  # the CLI's name for words of its own that no model said


class ContextUsage:
    """Feed it the answers of one session in order; `seen_in` says it at a turn's end."""

    def __init__(self) -> None:
        self._model = ""
        self._counts: dict[str, int] = {}

    def begin(self, message: Json) -> None:
        """An answer has begun, or came whole."""
        model = message.get("model")
        if isinstance(model, str) and model and model != MADE_UP:
            self._model, self._counts = model[:MODEL_CHARS], {}
            self.count(message.get("usage"))

    def count(self, usage: object) -> None:
        """The API counts on while it answers; what it does not say again stays."""
        if isinstance(usage, dict):
            self._counts |= {name: int(amount(usage[name])) for name in COUNTED if usage.get(name) is not None}

    def compacted(self) -> None:
        """The conversation was cut short: how much is left, only the next answer says."""
        self._counts = {}

    def seen_in(self, over: TurnResult, said: Json) -> TurnResult:
        """The end of a turn, with the model that answered last and how full it was then."""
        window = _window(said.get("modelUsage"), self._model)
        return structs.replace(over, model=self._model, context_tokens=sum(self._counts.values()), window_tokens=window)


def _window(models: object, model: str) -> int:
    """The CLI names a model with what is chosen about it (`…[1m]`), the API without."""
    if not model or not isinstance(models, dict):
        return 0
    named = {name.partition("[")[0]: used for name, used in models.items() if isinstance(name, str)}
    used = models.get(model, named.get(model))
    return int(amount(used.get("contextWindow"))) if isinstance(used, dict) else 0
