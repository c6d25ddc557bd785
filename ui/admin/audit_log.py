"""The audit log as administrators read it: users and agents by name, their ids in the tooltip and in the file."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.audit import AuditAction, AuditEntry
from core.domain.records import Agent, Role, User
from ui.layout.html import icon, tag
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame

EXACT_CHARS = 1_000  # of a detail on the page; the file has all of it
ACTS = 50  # entries shown; the file has all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """An act in the reader's words; `exact` has the ids that names stand for."""

    what: str
    detail: str
    parts: tuple[str, ...]
    exact: str


class AuditLog:
    """The section with the newest entries; `refresh` reads them again."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        with tag("section", classes="part", aria_labelledby="audit"):
            with tag("div", classes="row"):
                tag("h2", page.words.t("admin.audit"), id="audit", classes="grow")
                again = tag("button", page.words.t("admin.audit_again"), classes="btn sm", type="button")
                again.attributes(testid="audit-again").on("click", self.refresh, args=[])
                with tag("a", classes="btn sm", href="/admin/audit.jsonl", download="", testid="audit-export"):
                    icon("download")
                    tag("span", page.words.t("admin.audit_export"))
            self._rows = tag("ul", classes="rows")

    async def refresh(self) -> None:
        """Read again."""
        page, services = self._page, self._page.services
        users = await services.people.all(by=page.user_id)
        mine, _ = await services.agents.index(user=page.user_id, sessions=1)
        known = names(users, mine, words=page.words, me=page.user_id)
        acts = await services.audit.newest(limit=ACTS)
        self._rows.clear()
        with self._rows:
            for act in acts:
                self._row(act, describe(act, known, page.words))

    def _row(self, act: AuditEntry, shown: AuditLine) -> None:
        words = self._page.words
        with tag("li", classes="line", testid="act", data_what=act.what):
            with tag("div", classes="grow"):
                with tag("div", classes="row"):
                    tag("span", shown.what, classes="b nowrap")
                    tag("span", shown.detail, classes="mono cut" if shown.detail == act.detail else "meta cut")
                tag("div", " · ".join(shown.parts), classes="meta cut", title=shown.exact)
            tag("span", words.when(act.at), classes="meta nowrap", title=words.full(act.at))


def names(users: Sequence[User], mine: Sequence[Agent], *, words: Translations, me: str) -> dict[str, str]:
    """Names by id: of all users and of the reader's own agents. Names of other people's agents stay private."""
    people = {user.id: user.name or user.email or (words.t("common.owner") if user.id == me else "") for user in users}
    agents = {agent.id: agent.name or words.t("dashboard.untitled") for agent in mine}
    return {id: name for id, name in (agents | people).items() if name}


def describe(act: AuditEntry, known: dict[str, str], words: Translations) -> AuditLine:
    """The name of this id; the id itself if it is not known any more."""
    about = act.about if act.about != act.who else ""
    parts = (known.get(act.who, act.who), known.get(about, about), act.address)
    exact = (act.who, about, act.detail[:EXACT_CHARS], act.device)
    return AuditLine(
        what=words.code("audit", act.what, "other"),
        detail=_detail(act, words),
        parts=tuple(part for part in parts if part),
        exact=" · ".join(part for part in exact if part),
    )


def _detail(act: AuditEntry, words: Translations) -> str:
    first, _, rest = act.detail.partition(" ")
    if act.what == AuditAction.REQUEST_ANSWERED and words.has(f"answered.permission.{first}"):
        target = rest.partition(" ")[2][:EXACT_CHARS]
        return " · ".join(filter(None, (words.t(f"answered.permission.{first}"), target)))
    if act.what == AuditAction.ROLE_CHANGED and first in (Role.ADMIN, Role.USER):
        return words.t("admin.raise" if first == Role.ADMIN else "admin.lower")
    return act.detail
