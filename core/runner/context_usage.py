"""The usage of the model's context: the tokens that the last answer of the main conversation read and wrote.

The CLI's `result` adds up all requests of a turn, so it cannot tell; the answers carry the API's own counts. The size
of the context is the CLI's value for the model (`modelUsage`), never a table of ours.
"""

from typing import Any

from msgspec import structs

from core.runner.turn_result import TurnResult, amount

Json = dict[str, Any]
MODEL_CHARS = 128
COUNTED = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
MADE_UP = "<synthetic>"  # the CLI's name for its own texts


class ContextUsage:
    """Counts the answers of a session, fed in order; `seen_in` adds the counts to a turn's end."""

    def __init__(self) -> None:
        self._model = ""
        self._counts: dict[str, int] = {}

    def begin(self, message: Json) -> None:
        """Start counting an answer, or count one that arrived whole."""
        model = message.get("model")
        if isinstance(model, str) and model and model != MADE_UP:
            self._model, self._counts = model[:MODEL_CHARS], {}
            self.count(message.get("usage"))

    def count(self, usage: object) -> None:
        """Update the counts from the API's usage; counters that it does not repeat stay."""
        if isinstance(usage, dict):
            self._counts |= {name: int(amount(usage[name])) for name in COUNTED if usage.get(name) is not None}

    def compacted(self, left: object = None) -> None:
        """The conversation was shortened. `left` is what the CLI says is left of it; without that, only the next answer
        tells.
        """
        tokens = int(amount(left))
        self._counts = {"input_tokens": tokens} if tokens else {}

    def seen_in(self, over: TurnResult, said: Json) -> TurnResult:
        """Return the end of a turn with the model that answered last and its context usage."""
        window = _window(said.get("modelUsage"), self._model)
        return structs.replace(over, model=self._model, context_tokens=sum(self._counts.values()), window_tokens=window)


def _window(models: object, model: str) -> int:
    """Return the size of the model's context. The CLI may append options to the model's name (`…[1m]`)."""
    if not model or not isinstance(models, dict):
        return 0
    named = {name.partition("[")[0]: used for name, used in models.items() if isinstance(name, str)}
    used = models.get(model, named.get(model))
    return int(amount(used.get("contextWindow"))) if isinstance(used, dict) else 0
