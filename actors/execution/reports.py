"""What became of the orders, for who asks by cursor: each order's newest report, and when it changed."""

import asyncio
from contextlib import suppress
from operator import itemgetter

from actors.ports import OrderReport, VenueNews
from trading.order_tracking import Track
from trading.orders import OrderState

WAIT_SECONDS = 1.0


class Halt(Exception):
    """Something was to be sent that must not be: this process sends nothing any more."""


class Reports:
    """The reports of one process, which `incarnation` names."""

    def __init__(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self._halted = ""
        self._cursor = 0
        self._reports: dict[str, tuple[int, OrderReport]] = {}
        self._changed = asyncio.Event()

    @property
    def halted(self) -> str:
        """Why nothing is sent any more, or empty."""
        return self._halted

    def halt(self, why: str) -> None:
        """Say that nothing is sent any more; the first reason stays."""
        self._halted = self._halted or why
        self._wake()

    def put(self, report: OrderReport) -> None:
        """The newest about an order; what is as before is no news."""
        known = self._reports.get(report.order_id)
        if known is None or known[1] != report:
            self._cursor += 1
            self._reports[report.order_id] = (self._cursor, report)
            self._wake()

    def forget(self, order_id: str) -> None:
        """Nobody asks about this order any more."""
        self._reports.pop(order_id, None)

    async def after(self, incarnation: str, cursor: int) -> VenueNews:
        """What is newer than this cursor of this process; waits up to a second for something."""
        if incarnation != self.incarnation:
            cursor = 0
        news = self._news(cursor)
        if not news.reports:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), WAIT_SECONDS)
            news = self._news(cursor)
        return news

    def _news(self, cursor: int) -> VenueNews:
        newer = sorted((each for each in self._reports.values() if each[0] > cursor), key=itemgetter(0))
        reports = tuple(report for _, report in newer)
        return VenueNews(self.incarnation, self._cursor, reports, self._halted)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def report_of(track: Track) -> OrderReport | None:
    """What is known of an order; None while nothing is."""
    why = track.mismatch or track.why
    if track.state is OrderState.WAITING or (track.state is OrderState.UNKNOWN and not why):
        return None
    return OrderReport(
        order_id=track.order_id,
        symbol=track.placement.symbol,
        state=track.told_state,
        exchange_id=track.exchange_id,
        filled=track.filled,
        executions=track.executions,
        why=why,
    )
