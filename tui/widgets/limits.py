"""How much of each limit is used, as bars."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from autotrader.v1 import risk_pb2
from tui import text
from tui.paint import meter, paint

# Short names, for one line a limit.
NAMES = {
    "daily_loss_limit_percent": "daily loss %",
    "kill_switch_percent": "kill switch %",
    "max_open_positions": "positions",
    "max_exposure_percent": "exposure %",
    "max_orders_per_minute": "orders/min",
}
NAME_WIDTH = 14


class LimitBars(Static):
    """One line for each limit that is in use."""

    BORDER_TITLE = "Limits in use"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False, classes="panel")
        self._limits: Sequence[risk_pb2.Limit] = ()

    def show(self, limits: Sequence[risk_pb2.Limit]) -> None:
        """Show the limits whose use has a meaning."""
        self._limits = limits
        self.update(bars(limits, self.content_size.width))

    def on_resize(self) -> None:
        """The bars take what room there is."""
        self.show(self._limits)


def bars(limits: Sequence[risk_pb2.Limit], width: int) -> Content:
    """The lines: name, bar, how much of how much."""
    used = [limit for limit in limits if limit.HasField("used_percent") and not limit.off]
    if not used:
        return paint("no limit is in use" if limits else "no data yet", "dim")
    ends = [f"{text.rounded(limit.used)} of {text.number(limit.value)}" for limit in used]
    room = max(4, width - NAME_WIDTH - max(map(len, ends)) - 3)
    most = max(map(len, ends))
    return Content("\n").join(
        _line(limit, f"{end:>{most}}", room) for limit, end in zip(used, ends, strict=True)
    )


def _line(limit: risk_pb2.Limit, end: str, room: int) -> Content:
    name = NAMES.get(limit.name) or text.readable(limit.name.removesuffix("_percent"))
    mark = "!" if limit.used_percent >= 80 else " "
    return (
        paint(f"{name[:NAME_WIDTH]:<{NAME_WIDTH}}")
        + meter(limit.used_percent / 100, room)
        + paint(f" {mark}", "warn")
        + paint(end)
    )
