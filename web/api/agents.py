"""Agents of the caller."""

import msgspec

from core.domain.records import Agent, Session
from core.services.overview import AgentSummary
from ui.layout.services import Services
from web.api.paging import PageQuery, Place, cut
from web.api.routing import ApiRouter, Caller, IdempotencyKey


class AgentPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Agents, the one with the newest activity first. `next` is the cursor of the next page, absent at the end."""

    agents: list[Agent]
    next: str = ""


class NewAgent(msgspec.Struct, frozen=True, kw_only=True):
    """A draft agent and the builder session in which it is made."""

    agent: Agent
    session: Session


def router(services: Services) -> ApiRouter:
    """Routes under `/agents`, apart from those of sessions."""
    api = ApiRouter("agents")

    @api.endpoint("GET", "/agents")
    async def list_agents(user: Caller, page: PageQuery) -> AgentPage:
        """List the caller's agents, archived ones too."""
        cards = await services.agents.cards(user=user.user_id)
        found, more = cut(cards, page, place=_place)
        return AgentPage(agents=[card.agent for card in found], next=more)

    @api.endpoint("POST", "/agents", status=201)
    async def create_agent(user: Caller, key: IdempotencyKey = "") -> NewAgent:
        """Make a draft agent with its builder session."""
        agent, session = await services.agents.create(user=user.user_id, locale=user.locale or "ko", key=key)
        return NewAgent(agent=agent, session=session)

    return api


def _place(card: AgentSummary) -> Place:
    return card.at, card.agent.id
