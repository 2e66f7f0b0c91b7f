"""The console: screens, keys, and one worker that follows the engine."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, cast

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.client import Client, ClientError, Unreachable, connect
from tui.commands import ROLES, Commands
from tui.facts import Facts
from tui.feed import Feed
from tui.pace import Pace
from tui.screens.view import View
from tui.text import visible
from tui.themes import DARK, LIGHT
from tui.widgets.tabs import SCREENS, ScreenTabs

DRAW_SECONDS = 0.2

# Classes by the size of the terminal.
WIDTHS: list[tuple[int, str]] | None = [(0, "-narrow"), (110, "-wide")]
HEIGHTS: list[tuple[int, str]] | None = [(0, "-short"), (36, "-tall")]


def _late(mode: str) -> Callable[[], Screen[Any]]:
    """Makes a screen whose code is imported when it is first shown."""

    def make() -> Screen[Any]:
        return cast(Screen[Any], import_module(f"tui.screens.{mode}").SCREEN())

    return make


class ConsoleApp(App[None]):
    """The operator's console. `clock` tells the time of day in seconds since 1970."""

    TITLE = "autotrader"
    CSS_PATH = "console.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {mode: _late(mode) for mode, *_ in SCREENS}
    DEFAULT_MODE = "overview"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "kill", "KILL", tooltip="Throw the kill switch"),
        Binding("p", "pause", "Pause", tooltip="Take no entries"),
        Binding("p", "resume", "Resume", tooltip="Take entries again"),
        Binding("R", "reset_kill", "Reset", tooltip="Lift the kill switch"),
        Binding("X", "close_all", "Close all", show=False, tooltip="Sell every position"),
        *(Binding(key, f"go('{mode}')", name, show=False) for mode, key, name, _ in SCREENS),
        Binding("t", "toggle_light", "Light/dark", show=False),
        Binding("question_mark,f1", "keys", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, client: Client, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.client = client
        self.clock = clock
        self.facts = Facts()
        self.commands = Commands(self)
        self.feed = Feed(self)
        self.chart_symbol = ""
        self._draw = Pace(self, DRAW_SECONDS, self._show_facts)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name

    def on_mount(self) -> None:
        """Begin to follow the engine."""
        self.run_worker(self.feed.run(), name="feed")
        self.set_interval(1, self._tick)

    async def on_unmount(self) -> None:
        """Leave no session and no connection behind; a ready token is not ours to end."""
        if self.client.caller.session_id and not self.client.local:
            with suppress(ClientError):
                await self.client.sign_out()
        await self.client.close()

    def facts_changed(self) -> None:
        """Have the screen drawn soon, at most five times a second."""
        self._draw.ask()

    def _show_facts(self) -> None:
        # Under a dialog lies the screen that the facts belong to.
        for screen in reversed(self.screen_stack):
            if isinstance(screen, View):
                changed, self.facts.changed = frozenset(self.facts.changed), set()
                screen.take(self.facts, changed)
                return

    def _tick(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, View):
                screen.tick(self.facts)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what makes no sense now, dim what the role does not allow."""
        killed = bool(self.facts.status and self.facts.status.killed)
        hidden = {"pause": self.facts.paused, "resume": not self.facts.paused, "reset_kill": not killed}
        if hidden.get(action):
            return False
        return True if self.may(action) else None

    def may(self, action: str) -> bool:
        """Whether the caller's role allows an action."""
        return self.facts.caller.role >= ROLES.get(action, 0)

    def do(self, command: Coroutine[Any, Any, Any]) -> None:
        """Run a command beside the screen."""
        self.run_worker(command, group="commands")

    def action_kill(self) -> None:
        """Ask once, and throw the kill switch."""
        self.do(self.commands.kill())

    def action_pause(self) -> None:
        """Take no entries."""
        self.do(self.commands.pause())

    def action_resume(self) -> None:
        """Take entries again."""
        self.do(self.commands.resume())

    def action_reset_kill(self) -> None:
        """Lift the kill switch."""
        self.do(self.commands.reset_kill())

    def action_close_all(self) -> None:
        """Sell every position."""
        self.do(self.commands.close_all())

    def action_go(self, mode: str) -> None:
        """Show another screen."""
        self.switch_mode(mode)

    def action_toggle_light(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def action_keys(self) -> None:
        """Show every key, or hide them again."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def on_screen_tabs_chosen(self, message: ScreenTabs.Chosen) -> None:
        """A name at the top was clicked."""
        self.switch_mode(message.mode)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything that the palette offers: the screens, what can be done, and the app's own."""
        for mode, key, name, _ in SCREENS:
            yield SystemCommand(f"Show {name.lower()}", f"Key {key}", partial(self.switch_mode, mode))
        for action, title, words in PALETTE:
            if self.check_action(action, ()):
                yield SystemCommand(title, words, partial(self.run_action, action))
        if isinstance(screen, View):
            for binding in screen.own_actions():
                words = f"{binding.tooltip or 'On this screen'} ({binding.key_display or binding.key})"
                yield SystemCommand(binding.description, words, partial(screen.run_action, binding.action))
        yield from super().get_system_commands(screen)

    def action_stop_engine(self) -> None:
        """End the engine."""
        self.do(self.commands.stop_engine())

    def _fatal_error(self) -> None:
        """A bug is shown without the values of variables: a password may be among them."""
        from rich.traceback import Traceback

        self._exit_renderables.append(Traceback(show_locals=False))
        self._close_messages_no_wait()

    def say(self, message: str) -> None:
        """Tell what was done."""
        self.notify(visible(message), markup=False, timeout=4)

    def warn(self, words: str) -> None:
        """Tell what was typed wrongly; nothing was sent."""
        self.notify(visible(words), severity="warning", markup=False, timeout=6)

    def complain(self, error: ClientError) -> None:
        """Tell what went wrong, in its one sentence."""
        title = "No answer" if isinstance(error, Unreachable) else "Not done"
        self.notify(visible(str(error)), title=title, severity="error", markup=False, timeout=8)


PALETTE = (
    ("kill", "Kill switch", "Cancel everything, sell everything, refuse entries (k)"),
    ("pause", "Pause", "Take no entries; exits and stops go on (p)"),
    ("resume", "Resume", "Take entries again (p)"),
    ("close_all", "Close all positions", "Sell every position at market (X)"),
    ("reset_kill", "Reset the kill switch", "The engine may trade again (R)"),
    ("stop_engine", "Stop the engine", "Ends it; positions stay as they are"),
    ("toggle_light", "Light or dark", "Change the colours (t)"),
)


def run_console(target: str | None = None, *, listen: str = "", tls_ca: str = "") -> int:
    """Show the console until it is left; returns the exit code.

    `target`: "HOST:PORT"; else `listen` (the setting control.listen), else the default. Raises ClientError
    for an address or a credential file that cannot be used.
    """

    async def show() -> int:
        app = ConsoleApp(connect(target, listen=listen, tls_ca=tls_ca))
        await app.run_async()
        return app.return_code or 0

    return asyncio.run(show())
