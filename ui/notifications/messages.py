"""Puts notifications into the language of their reader, each with a link straight to what it is about."""

from collections.abc import Sequence
from urllib.parse import quote

from core.domain.errors import NotFound
from core.domain.notifications import Message, MessageItem, Notification, NotificationKind
from core.domain.records import Agent, User, UserId, now
from core.store import Store
from ui.layout.i18n import Translations
from ui.layout.i18n import words as words_in
from ui.runs.sentences import reason_words

LINE_CHARS = 300


class Messages:
    """The Composer of core.services.notify.sender. `site` is the address by which people reach the platform."""

    def __init__(self, store: Store, *, site: str) -> None:
        self._store, self._site = store, site

    async def message(self, id: str, about: Sequence[Notification], *, user: User, zone: str) -> Message:
        words = words_in(user.locale, zone)
        names = {agent: await self._name(agent, user.user_id, words) for agent in {one.agent for one in about}}
        items = tuple(
            MessageItem(
                notification=one,
                title=title(one, names[one.agent], words),
                text=text(one, words),
                url=self._site + path(one),
            )
            for one in about
        )
        single = len(items) == 1
        return Message(
            id=id,
            title=items[0].title if single else words.t("notify.digest", n=len(items)),
            text="",
            url=items[0].url if single else f"{self._site}/inbox",
            items=items,
            settings_url=f"{self._site}/settings/notifications",
            locale=words.locale,
            at=now(),
        )

    async def _name(self, agent: str, user: UserId, words: Translations) -> str:
        if not agent:
            return ""
        try:
            return (await self._store.get(Agent, agent, owner=user)).name or words.t("dashboard.untitled")
        except NotFound:
            return words.t("dashboard.untitled")


def title(one: Notification, agent: str, words: Translations) -> str:
    """Say what happened, in one line."""
    about_all = not agent and one.kind in (NotificationKind.BUDGET_80, NotificationKind.BUDGET_100)
    return words.t(f"notify.title_{one.kind}_all" if about_all else f"notify.title_{one.kind}", agent=agent)


def text(one: Notification, words: Translations) -> str:
    """Say what there is to say beyond the title; empty: nothing."""
    match one.kind:
        case NotificationKind.FAILED | NotificationKind.PAUSED:
            return reason_words(one.reason, words)
        case NotificationKind.SILENT if one.due_at:
            return words.t("notify.text_silent", at=words.full(one.due_at))
        case NotificationKind.BUDGET_80 | NotificationKind.BUDGET_100:
            scope, _, percent = one.reason.partition("_")
            return words.t(f"alert.budget_{scope}", percent=percent)
        case NotificationKind.TEST:
            return words.t("notify.text_test")
    return one.line[:LINE_CHARS]


def path(one: Notification) -> str:
    """The page that the notification is about: of an open request the prompt itself."""
    if one.kind is NotificationKind.NEEDS_YOU:
        return f"/workspace/{quote(one.agent)}?session={quote(one.session)}"
    if one.run and one.kind is not NotificationKind.PAUSED:
        return f"/runs/{quote(one.run)}"
    if one.trigger:
        return f"/agents/{quote(one.agent)}/operate"
    return "/settings/notifications" if one.kind is NotificationKind.TEST else "/usage"
