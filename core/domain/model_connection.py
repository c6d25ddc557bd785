"""The model connection that somebody chose in the pages; it stands above the one of the settings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.domain.records import Record

MODEL_KEY = "MODEL_KEY"  # its name in the vault, owner `system`
VERDICTS = ("good", "refused", "no_credit", "no_model", "unreachable", "other")
TAIL = 4  # characters of a key that may be shown


class ModelConnection(Record, frozen=True, kw_only=True):
    """The way to the model. The key is in the vault; `key_tail` is its end. There is one row, of the platform's own."""

    id: str = "model"
    provider: Literal["anthropic", "vertex"]
    key_tail: str = ""
    project: str = ""
    region: str = ""
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one small request; `code` is one of VERDICTS.

    `status` is the HTTP status, 0 if nothing answered; `where` the address without anything secret.
    """

    code: str
    status: int = 0
    where: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Return whether the connection can be used."""
        return self.code == "good"
