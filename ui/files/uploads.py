"""The list of files that are on their way into the agent's folder. They go past the page: each is a PUT to the API."""

from collections.abc import Awaitable, Callable
from typing import Final

from nicegui.element import Element

from ui.layout.i18n import Translations

LABELS: Final = "choose choose_folder title clear replace again stop stopped done waiting exists broken refused".split()
CODES: Final = "bad_path no_space file_locked not_a_file".split()


class Uploads(Element, component="uploads.js"):
    """`limit_bytes` is that of one file; the server holds it too. `landed` is called after files have arrived."""

    def __init__(
        self, words: Translations, *, door: str, limit_bytes: int, landed: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__()
        too_large = words.t("uploads.too_large", size=words.size(limit_bytes))
        said = {code: words.t(f"error.{code}") for code in CODES}
        self.props["words"] = {
            **{label: words.t(f"uploads.{label}") for label in LABELS},
            **said,
            "too_large": too_large,
            "file_too_large": too_large,
        }
        self.props["door"] = door
        self.props["limit"] = limit_bytes
        self.on("landed", landed, args=[])

    def choose_from(self, button: Element, what: str) -> None:
        """Let `button` open the browser's choice of `files` or a `folder`: it does so only right after a press."""
        # nosemgrep: built-javascript  # a number and one of two words
        button.on("click", js_handler=f"() => getElement({self.id}).choose('{what}')")
