"""The section of one agent's limits: what it spent this month, and what it may cost and take."""

import msgspec

from core.domain.agent_inputs import AgentLimits
from core.domain.records import Agent, now
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame
from ui.usage import limit_form
from ui.usage.limit_form import LimitForm
from ui.usage.limit_meter import limit_meter


async def agent_limits(page: PageFrame, agent: Agent) -> None:
    """Draw the section into the element that is open."""
    words, spending = page.words, page.services.spending
    spent = await spending.agent_month_usd(agent.id, user=page.user_id)
    allowed = await spending.in_force(agent.id, user=page.user_id)

    async def save(values: dict[str, float]) -> None:
        limits = msgspec.convert(values, AgentLimits)
        await page.services.agents.change(agent.id, user=page.user_id, limits=limits)

    limit = allowed.agent_month_usd
    with tag("div", classes="row"):
        tag("h2", words.t("limits.title"), id="limits")
        tag("span", words.t("limits.month"), classes="meta grow")
        shown = words.t("limits.spent_of", spent=words.money(spent), limit=words.money(limit))
        tag("span", shown if limit else words.money(spent), classes="meta nowrap")
    limit_meter(words, spent_usd=spent, limit_usd=limit, today=now().date())
    values = msgspec.structs.asdict(agent.limits)
    LimitForm(page, about="agent", fields=limit_form.AGENT, values=values, save=save)
    with tag("p", classes="meta lockline"):
        icon("lock")
        tag("span", words.t("limits.of_agent"))
    tag("a", words.t("usage.title"), classes="btn ghost sm", href="/usage")
