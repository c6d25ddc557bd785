"""The menu in the composer that switches this session's permission mode, model and effort, compacts and exports it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.agent_definition import EFFORTS
from core.domain.errors import PlatformError
from core.domain.permission_policy import Mode, mode_of
from core.domain.records import Agent, Session
from core.protocol.runner_api import CliInfo
from ui.agents.permission_mode import NAMES
from ui.layout.i18n import Translations
from ui.transcript.session_stats import spoken

LABELS: Final = "title mode model effort loading only_here compact".split()
CHOICES: Final = frozenset({"permission_mode", "model", "effort"})
FORMATS: Final = {"markdown": "md", "html": "html"}


class SessionControls(Element, component="session_controls.js"):
    """`choose(**{name: value})` may raise PlatformError; `switchable` is False where there is only one model."""

    def __init__(
        self,
        *,
        agent: Agent,
        session: Session,
        words: Translations,
        switchable: bool,
        choose: Callable[..., Awaitable[Session]],
        info: Callable[[], Awaitable[CliInfo]],
        compact: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._agent, self._session, self._words, self._switchable = agent, session, words, switchable
        self._choose, self._info, self._compact, self._fail = choose, info, compact, fail
        self.props["first"] = self._shown = self._now()
        efforts = {level: words.code("effort", level, "default") for level in EFFORTS if level}
        self.props["words"] = {**{label: words.t(f"controls.{label}") for label in LABELS}, "efforts": efforts}
        self.props["exports"] = [
            {
                "id": f"export-{name}",
                "href": f"/sessions/{quote(session.id)}/export.{ending}",
                "text": words.t(f"controls.export_{name}"),
            }
            for name, ending in FORMATS.items()
        ]
        self.on("choose", self._chosen)
        self.on("info", self._asked, args=[])
        self.on("compact", self._compacted, args=[])

    def show(self, agent: Agent, session: Session) -> None:
        """Agent or session have other settings now."""
        self._agent, self._session = agent, session
        if (now := self._now()) != self._shown:
            self._shown = now
            self.run_method("show", now)

    def _now(self) -> dict[str, Any]:
        agent, session, t = self._agent, self._session, self._words.t
        own = t(f"mode.{NAMES[mode_of(agent.permission_mode)]}")
        modes = [{"value": "", "text": t("controls.own", what=own), "short": own}]
        for mode in Mode:
            name = t(f"mode.{NAMES[mode]}")
            modes.append({"value": str(mode), "text": name, "short": name})
        return {
            "modes": modes,
            "mode": session.chosen_mode,
            "model": session.chosen_model,
            "effort": session.chosen_effort,
            "own_model": t("controls.own", what=spoken(agent.model)) if agent.model else t("effort.default"),
            "own_effort": t("controls.own", what=self._words.code("effort", agent.effort, "default"))
            if agent.effort
            else t("effort.default"),
            "switchable": self._switchable,
        }

    async def _chosen(self, event: GenericEventArguments) -> None:
        match event.args:
            case [str(name), str(value)] if name in CHOICES:
                try:
                    self.show(self._agent, await self._choose(**{name: value}))
                except PlatformError as error:
                    self.run_method("show", self._shown)
                    self._fail(error)

    async def _asked(self) -> None:
        try:
            info = await self._info()
        except PlatformError as error:
            self._fail(error)
            return
        models = [one for one in info.models if one.value != "default"]
        self.run_method("offer", msgspec.to_builtins(models))

    async def _compacted(self) -> None:
        try:
            await self._compact()
        except PlatformError as error:
            self._fail(error)
