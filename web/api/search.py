"""Full-text search over the conversations of the signed-in user."""

from typing import Annotated

import msgspec
from fastapi import Query

from core.services.search import MOST, QUERY_CHARS, Found
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that have all words of the query, newest first."""

    messages: list[Found]


def router(services: Services) -> ApiRouter:
    """The route `/search`."""
    api = ApiRouter("search")

    @api.endpoint("GET", "/search", problems=(404,))
    async def search_messages(
        user: Caller,
        q: Annotated[str, Query(max_length=QUERY_CHARS)] = "",
        session: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
    ) -> SearchAnswer:
        """Find messages by what they say, in all sessions or in one; without a word there are none."""
        return SearchAnswer(messages=await services.search.find(q, user=user.user_id, session=session, limit=limit))

    return api
