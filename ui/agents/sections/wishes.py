"""The section with what an imported agent wants beyond its files: each wish is granted or dropped by itself."""

from functools import partial

from core.domain.agent_wishes import Wish, WishKind
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import icon, tag


class WishesSection(Section):
    """It is there only while something waits for a decision."""

    key = "wishes"
    editable = False
    open_at_first = True

    def show(self, view: AgentView) -> None:
        """Take over what was read; without wishes there is nothing to see."""
        super().show(view)
        self.root.set_visibility(bool(view.wishes))

    def summary(self, view: AgentView) -> str:
        return self.words.t("agent.wishes_wait", n=len(view.wishes))

    def body(self, view: AgentView) -> None:
        words = self.words
        tag("p", words.t("agent.wishes_text"), classes="meta")
        for wish in view.wishes:
            with tag("div", classes="wish", testid="wish", data_kind=str(wish.kind)):
                icon("shield")
                with tag("div", classes="grow"):
                    tag("p", words.t(f"agent.wish_{wish.kind}"), classes="meta")
                    tag("code", wish.value, classes="wrap")
                if wish.kind is not WishKind.HOOK:
                    self._button("yes", wish)
                self._button("no" if wish.kind is not WishKind.HOOK else "seen", wish)

    def _button(self, act: str, wish: Wish) -> None:
        button = tag("button", self.words.t(f"agent.wish_{act}"), classes="btn sm", type="button")
        label = f"{self.words.t(f'agent.wish_{act}')}: {wish.value}"
        button.attributes(testid=f"wish-{act}", aria_label=label)
        button.on("click", partial(self._decide, wish, act == "yes"), args=[])

    async def _decide(self, wish: Wish, yes: bool) -> None:
        await self.page.services.transfer.decide(self.agent, wish, yes, user=self.page.user_id)
        await self.saved()
