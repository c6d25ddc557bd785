"""The terminal tab of the workspace's panel: up to four shells in the agent's folder, found again after a reload."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import aiohttp
import msgspec
from nicegui import background_tasks

from core.domain.errors import PlatformError, TooMuch
from core.domain.events import AnyEvent
from core.protocol.terminal_api import NUMBERS, TerminalInput, TerminalOutput
from ui.layout.html import tag
from ui.terminal.view import TerminalView
from ui.workspace.panel import PanelContext, TabKind

log = logging.getLogger("oma.pages")

FIT_S: Final = 3.0  # for the browser to say how much room there is
USUAL: Final = (80, 24)
WAITING: Final = 200  # messages to a terminal that does not take them yet


class TerminalTab:
    """The tab in one open page. One terminal is shown at a time; the others go on in the box."""

    def __init__(self, context: PanelContext) -> None:
        page = self._page = context.page
        self._session, self._user, self._words = context.session.id, page.user.id, page.words
        self._terminals = page.services.terminals
        self._number, self._numbers = NUMBERS[0], set[int]()
        self._size, self._sized = USUAL, asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._outgoing: asyncio.Queue[TerminalInput] = asyncio.Queue(WAITING)
        page.client.on_delete(self._leave)

    async def build(self) -> None:
        """The bar with the numbers, the terminal, and what is said below it."""
        words = self._words
        with tag("div", classes="terminal-tab"):
            with tag("div", classes="row terminal-bar"):
                self._bar = tag("div", classes="seg", role="group", aria_label=words.t("terminal.which"))
                self._new = tag("button", words.t("terminal.new"), type="button", classes="btn sm ghost")
                self._new.attributes(testid="terminal-new").on("click", self._begin, args=[])
                tag("span", classes="grow")
                self._end = tag("button", words.t("terminal.end"), type="button", classes="btn sm ghost")
                self._end.attributes(testid="terminal-end").on("click", self._ask_to_end, args=[])
                self._sure = tag("div", classes="row", hidden=True, role="group", aria_label=words.t("terminal.sure"))
                with self._sure:
                    tag("span", words.t("terminal.sure"), classes="meta")
                    sure = tag("button", words.t("terminal.end_now"), type="button", classes="btn sm danger")
                    sure.attributes(testid="terminal-end-now").on("click", self._end_shown, args=[])
                    stay = tag("button", words.t("common.cancel"), type="button", classes="btn sm")
                    stay.on("click", lambda: self._confirm(False), args=[])
            self._place = tag("div", classes="terminal-place")
            with tag("div", classes="row terminal-foot"):
                self._note = tag("span", words.t("terminal.hint"), classes="meta grow", role="status")
                self._again = tag("button", words.t("terminal.again"), type="button", classes="btn sm", hidden=True)
                self._again.attributes(testid="terminal-again").on("click", self._reopen, args=[])

    async def show(self, target: str) -> None:
        """Attach when somebody looks at it for the first time."""
        if self._following is None:
            self._show_number(self._number)

    def heard(self, events: Sequence[AnyEvent]) -> None:
        """The session's events say nothing about terminals."""

    # --- one terminal ------------------------------------------------------------------------------------------------

    def _show_number(self, number: int) -> None:
        """Leave the terminal that is shown and attach to this one."""
        self._leave()
        self._number = number
        self._sized.clear()
        self._place.clear()
        with self._place:
            label = self._words.t("terminal.label", number=number)
            self._view = TerminalView(label=label, typed=self._typed, fits=self._fits)
        self._say("terminal.connecting", again=False)
        self._confirm(False)
        self._following = background_tasks.create(self._follow(number, self._view), name="terminal")

    async def _follow(self, number: int, view: TerminalView) -> None:
        """Show the terminal until its shell ends, the box is gone or somebody looks at another one."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._sized.wait(), FIT_S)
        columns, rows = self._size
        try:
            await self._terminals.open(self._session, number, columns=columns, rows=rows, user=self._user)
            await self._show_numbers()
            async with self._terminals.attach(self._session, number, user=self._user) as socket:
                self._put(TerminalInput(columns=self._size[0], rows=self._size[1]))
                self._say("terminal.hint", again=False)
                sending = asyncio.ensure_future(_sent(socket, self._outgoing))
                try:
                    ended = await _drawn(socket, view)
                finally:
                    sending.cancel()
            if ended:
                self._numbers.discard(number)
            self._say("terminal.ended" if ended else "terminal.lost", again=True)
        except PlatformError as error:
            log.info("terminal %d of %s: %s", number, self._session, error)
            self._page.fail(error)
            self._say("terminal.lost", again=True)
        except TimeoutError:  # the browser does not draw
            self._say("terminal.lost", again=True)
        view.run_method("stop")
        self._draw_bar()

    def _typed(self, text: str) -> None:
        self._put(TerminalInput(text=text))

    def _fits(self, columns: int, rows: int) -> None:
        changed = (columns, rows) != self._size
        self._size = (columns, rows)
        self._sized.set()
        if changed:
            self._put(TerminalInput(columns=columns, rows=rows))

    def _put(self, frame: TerminalInput) -> None:
        try:
            self._outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            self._page.fail(TooMuch("the terminal takes no more input", code="terminal_input_full"))

    def _leave(self) -> None:
        if self._following is not None:
            self._following.cancel()
        self._outgoing = asyncio.Queue(WAITING)

    # --- the bar -----------------------------------------------------------------------------------------------------

    async def _show_numbers(self) -> None:
        self._numbers = set(await self._terminals.numbers(self._session, user=self._user))
        self._draw_bar()

    def _draw_bar(self) -> None:
        self._bar.clear()
        shown = sorted({*self._numbers, self._number})
        with self._bar:
            for number in shown:
                button = tag("button", str(number), type="button", aria_pressed=str(number == self._number).lower())
                button.attributes(aria_label=self._words.t("terminal.label", number=number))
                button.on("click", lambda number=number: self._show_number(number), args=[])
        self._new.attributes(disabled=True if len(shown) >= len(NUMBERS) else None)

    def _begin(self) -> None:
        free = [number for number in NUMBERS if number not in {*self._numbers, self._number}]
        if free:
            self._show_number(free[0])

    def _reopen(self) -> None:
        self._show_number(self._number)

    def _ask_to_end(self) -> None:
        self._confirm(True)

    def _confirm(self, asking: bool) -> None:
        self._sure.attributes(hidden=None if asking else True)
        self._end.attributes(hidden=True if asking else None)

    async def _end_shown(self) -> None:
        """End the terminal that is shown, with all that runs in it."""
        self._confirm(False)
        try:
            await self._terminals.end(self._session, self._number, user=self._user)
        except PlatformError as error:
            self._page.fail(error)

    def _say(self, key: str, *, again: bool) -> None:
        self._note.set_text(self._words.t(key))
        self._again.attributes(hidden=None if again else True)


async def _drawn(socket: aiohttp.ClientWebSocketResponse, view: TerminalView) -> bool:
    """Draw all that comes. Returns True if the shell has ended, False if the socket has. Raises: TimeoutError."""
    async for frame in socket:
        if frame.type is not aiohttp.WSMsgType.TEXT:
            continue
        try:
            output = msgspec.json.decode(frame.data, type=TerminalOutput)
        except msgspec.DecodeError:
            return False
        if output.screen is not None:
            await view.draw(output.screen, output.columns, output.rows)
        elif output.text:
            await view.write(output.text)
        if output.ended:
            return True
    return False


async def _sent(socket: aiohttp.ClientWebSocketResponse, outgoing: asyncio.Queue[TerminalInput]) -> None:
    """Send what is typed, in its order, until the socket is closed."""
    with suppress(aiohttp.ClientError, ConnectionError):  # its reader notices the end, and says so
        while True:
            await socket.send_str(msgspec.json.encode(await outgoing.get()).decode())


def offered(context: PanelContext) -> bool:
    """Return True if an administrator lets people open terminals."""
    return context.page.services.terminals.allowed


TAB: Final = TabKind(name="terminal", label="terminal.tab", make=TerminalTab, offered=offered)
