"""What every screen of the console has: the status line, the names of the screens, the banner, the keys."""

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Footer

from tui.client import ClientError, Unreachable
from tui.facts import ALL, Facts
from tui.widgets.banner import Banner
from tui.widgets.status_line import StatusLine
from tui.widgets.tabs import ScreenTabs

if TYPE_CHECKING:
    from tui.app import ConsoleApp


Found = TypeVar("Found")


class View(Screen[None]):
    """A screen of the console. A subclass gives `MODE`, `body` and `show`."""

    MODE: ClassVar[str] = ""
    _shown = False
    _resuming = False
    _allowed: tuple[int, bool, bool] | None = None

    @property
    def console(self) -> "ConsoleApp":
        """The app, with its own type."""
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield ScreenTabs(self.MODE)
        yield Banner()
        with Vertical(id="body"):
            yield from self.body()
        yield Footer(compact=True)

    @property
    def _ready(self) -> bool:
        """Whether its widgets are there: not while it is being made, nor while the console ends."""
        return self._shown and self.app.is_running

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        yield from ()

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """Show the facts; `changed` names those that are new since the last time."""

    def take(self, facts: Facts, changed: frozenset[str]) -> None:
        """New facts came: the frame shows them, then this screen."""
        if not self._ready:
            return
        self.tick(facts)
        self.set_class(bool(facts.lost), "-away")
        self.show(facts, changed)
        allowed = (facts.caller.role, facts.paused, bool(facts.status and facts.status.killed))
        if allowed != self._allowed:
            self._allowed = allowed
            self.refresh_bindings()

    def tick(self, facts: Facts) -> None:
        """A second has passed."""
        if not self._ready:
            return
        now = self.console.clock()
        self.query_one(StatusLine).show(facts, now, self.console.client.target.address)
        self.query_one(Banner).show(facts, now)

    def on_screen_resume(self) -> None:
        """Shown (again): everything may have changed meanwhile."""
        if not self._resuming:
            self._resuming = True
            self.call_after_refresh(self._show_all)

    def _show_all(self) -> None:
        self._shown, self._resuming = True, False
        self.take(self.console.facts, ALL)

    def own_actions(self) -> Iterable[Binding]:
        """The keys of this screen that make sense now, for the palette."""
        for kind in type(self).__mro__[: type(self).__mro__.index(View)]:
            for binding in kind.__dict__.get("BINDINGS", ()):
                if binding.description and self.check_action(binding.action.partition("(")[0], ()):
                    yield binding

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what the role does not allow."""
        return True if self.console.may(action) else None

    def read(self, reading: Coroutine[Any, Any, Found], then: Callable[[Found], object]) -> None:
        """Read from the engine beside the screen, then show it, if the screen is still there."""
        self.run_worker(self._read_and_show(reading, then), group="reads")

    async def _read_and_show(
        self, reading: Coroutine[Any, Any, Found], then: Callable[[Found], object]
    ) -> None:
        try:
            found = await reading
        except Unreachable:
            # The banner says it already.
            return
        except ClientError as error:
            self.console.complain(error)
            return
        if self._ready:
            then(found)
