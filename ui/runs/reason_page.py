"""`/runs/reasons/{code}`: what a reason code of a run means, and what helps."""

from core.domain.errors import NotFound
from core.domain.runs import REASONS
from ui.layout.html import icon, tag
from ui.layout.page_frame import frame, screen
from ui.layout.services import Services
from ui.runs.sentences import next_of, reason_words
from ui.runs.state_mark import state_mark


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/runs/reasons/{code}")
    async def reason(code: str) -> None:
        """Raises: NotFound: no run ends with such a code."""
        services.auth.current()
        if code not in REASONS:
            raise NotFound("no run ends with such a code")
        with frame(services, title="runs.code") as page:
            words = page.words
            page.retitle(f"{words.t('runs.code')} {code}")
            with tag("div", classes="page narrow settings runs"):
                with tag("a", classes="row back", href="/runs"):
                    icon("back")
                    tag("span", words.t("runs.title"))
                with tag("div", classes="row title"):
                    tag("h1", code, classes="mono")
                    state_mark(REASONS[code], words.t(f"run_state.{REASONS[code]}"))
                with tag("section", classes="part"):
                    tag("h2", words.t("runs.code_means"))
                    tag("p", reason_words(code, words))
                    step = next_of(code, words)
                    tag("h2", words.t("runs.code_helps"))
                    tag("p", step or words.t("runs.code_nothing"), classes="" if step else "muted")
