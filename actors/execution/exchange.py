"""Execution at an exchange: makes what is wanted so, order by order, each sent at most once.

The decisions are `trading.order_tracking`'s; here they meet the exchange, the clock and the database. Nothing
is kept on disk: a new process asks for every order that an earlier one may have sent.
"""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from actors.execution.account_port import AccountPort
from actors.execution.reports import Halt, Reports, report_of
from actors.execution.spec import ExchangeSpec
from actors.ports import Health, VenueNews, WantedOrder
from trading.errors import AutotraderError
from trading.exchange_orders import Account, Filter, Refused, Unknown
from trading.order_tracking import (
    Ask,
    AskExecutions,
    Cancel,
    Done,
    Send,
    Step,
    Told,
    Track,
    Wait,
    next_step,
    sending,
    taken,
    to_be_cancelled,
    tracked,
)
from trading.orders import OrderState

if TYPE_CHECKING:
    from actors.execution.gate import Gate, LeaseStore

SEND_WITHIN_MS = 10_000
ANSWER_SECONDS = 30.0
STOP_SECONDS = 2.0
OPEN_AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0)
FILTERS_FRESH_MS = 60_000
LOG_TRIES = 10
REMEMBERED = 10_000

log = logging.getLogger(__name__)

OpenAccount = Callable[[ExchangeSpec], Awaitable[AccountPort]]
Got = TypeVar("Got")


def monotonic_ms() -> int:
    """A clock that only goes forward, whatever is done to the machine's."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


async def open_ccxt_account(spec: ExchangeSpec) -> AccountPort:
    """The account whose keys stand in this process's environment."""
    from actors.execution.ccxt_account import CcxtAccount

    key = os.environ.get("AUTOTRADER__EXCHANGE__API_KEY", "")
    secret = os.environ.get("AUTOTRADER__EXCHANGE__API_SECRET", "")
    where = (spec.exchange, spec.options, key, secret, spec.symbols, spec.cache_folder)
    return await CcxtAccount.open(*where, recv_window_ms=spec.recv_window_ms)


class Followed:
    """One order that is worked on: its track, the task that does so, and whether it talks to the exchange."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.wake = asyncio.Event()
        self.talking = False
        self.task: asyncio.Task[None] | None = None

    async def wait(self, milliseconds: int) -> None:
        """Wait so long, or until something else is wanted."""
        self.wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), max(milliseconds, 1) / 1000)


class ExchangeVenue:
    """The account of one run at an exchange. Everything is opened at the first question."""

    def __init__(
        self,
        spec: ExchangeSpec,
        store: "LeaseStore",
        open_account: OpenAccount = open_ccxt_account,
        clock: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._spec = spec
        self._store = store
        self._open_account = open_account
        self._clock = clock
        self._reports = Reports(uuid.uuid4().hex)
        self._orders: dict[str, Followed] = {}
        self._maybe_sent: dict[str, None] = {}
        self._account: AccountPort | None = None
        self._gate: Gate | None = None
        self._opened = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None
        self._trouble = ""
        self._filters_ms = 0
        self._stopping = False
        self._chores: set[asyncio.Task[None]] = set()

    async def work(self, wanted: Sequence[WantedOrder], incarnation: str) -> str:
        """Make it so; returns at once, with the incarnation that heard it."""
        self._open_soon()
        here = incarnation == self._reports.incarnation
        for order_id in self._orders.keys() - {each.order_id for each in wanted}:
            self._orders.pop(order_id).wake.set()
            self._reports.forget(order_id)
        for each in wanted:
            known = self._orders.get(each.order_id)
            if known is None and not self._stopping:
                self._follow(each, each.fresh and here)
            elif known is not None and each.cancel:
                self._now(known, to_be_cancelled(known.track))
                known.wake.set()
        return self._reports.incarnation

    async def news(self, incarnation: str, after: int) -> VenueNews:
        """What changed after this cursor; waits up to a second for something."""
        self._open_soon()
        return await self._reports.after(incarnation, after)

    async def account(self) -> Account | None:
        """The account as the exchange tells it now; None when it does not."""
        self._open_soon()
        if self._account is None:
            return None
        told = await _answered(self._account.account(self._spec.symbols))
        if isinstance(told, Unknown):
            self._trouble = told.why
            return None
        self._trouble = ""
        return told

    async def filters(self) -> tuple[Filter, ...]:
        """The markets' rules as they are known, and every minute anew; empty before they were ever heard."""
        self._open_soon()
        if self._account is None:
            return ()
        now_ms = self._clock()
        if now_ms - self._filters_ms >= FILTERS_FRESH_MS:
            self._filters_ms = now_ms
            self._meanwhile(self._refresh(self._account))
        return self._account.filters()

    async def health(self) -> Health:
        """That it lives, what it works on, and what keeps it from its work."""
        self._open_soon()
        tracks = [each.track for each in self._orders.values()]
        facts = {
            "open": self._opened.is_set(),
            "trouble": self._trouble,
            "halted": self._reports.halted,
            "incarnation": self._reports.incarnation,
            "orders": sum(not track.ended for track in tracks),
            "unknown": sum(track.told_state is OrderState.UNKNOWN for track in tracks),
            "talking": sum(each.talking for each in self._orders.values()),
        }
        return Health("execution", os.getpid(), facts=facts)

    async def stop(self) -> None:
        """Send nothing more; what is on its way is waited for, at most 2 s."""
        self._stopping = True
        talking = [each.task for each in self._orders.values() if each.talking and each.task]
        if talking:
            await asyncio.wait(talking, timeout=STOP_SECONDS)
        tasks = [*(each.task for each in self._orders.values()), self._opening, *self._chores]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        if self._account is not None:
            await _answered(self._account.close())
        if self._gate is not None:
            self._gate.close()

    # Opening.

    def _open_soon(self) -> None:
        if self._opening is None and not self._stopping:
            self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        """Take the lease, then open the account; tried until it is done."""
        tries = 0
        while not self._opened.is_set():
            try:
                await self._open_once()
            except Exception as error:
                self._trouble = str(error) if isinstance(error, AutotraderError) else type(error).__name__
                await asyncio.sleep(OPEN_AGAIN_SECONDS[min(tries, len(OPEN_AGAIN_SECONDS) - 1)])
                tries += 1

    async def _open_once(self) -> None:
        from actors.execution.gate import Gate

        if self._gate is None:
            self._gate = await Gate.open(self._spec, self._store, self._reports.incarnation, wall_ms())
        self._account = await self._open_account(self._spec)
        self._filters_ms = self._clock()
        self._trouble = ""
        self._opened.set()

    # One order.

    def _follow(self, wanted: WantedOrder, fresh: bool) -> None:
        """Work on an order from now on; what may have left once is never fresh again."""
        placement = wanted.placement
        fresh = fresh and placement.client_id not in self._maybe_sent
        if not fresh:
            self._remember(placement.client_id)
        now_ms, window_ms = self._clock(), self._spec.recv_window_ms
        order = Followed(tracked(wanted.order_id, placement, fresh, now_ms, window_ms))
        self._orders[wanted.order_id] = order
        if wanted.cancel:
            self._now(order, to_be_cancelled(order.track))
        order.task = asyncio.create_task(self._work_on(order))
        order.task.add_done_callback(self._ended)

    def _remember(self, client_id: str) -> None:
        self._maybe_sent[client_id] = None
        if len(self._maybe_sent) > REMEMBERED:
            del self._maybe_sent[next(iter(self._maybe_sent))]

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that failed is a bug: nobody looks after its order."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("an order is not looked after any more", exc_info=error)
            self._halt(f"an order is not looked after any more ({type(error).__name__})")

    def _wanted(self, order: Followed) -> bool:
        return self._orders.get(order.track.order_id) is order and not self._stopping

    async def _work_on(self, order: Followed) -> None:
        while self._wanted(order):
            now_ms = self._clock()
            step = next_step(order.track, now_ms)
            match step:
                case Done():
                    return
                case Wait(until_ms):
                    await order.wait(until_ms - now_ms)
                case Send():
                    await self._send(order)
                case _:
                    await self._opened.wait()
                    await self._talk(order, step)

    async def _send(self, order: Followed) -> None:
        """Send an order that is fresh, unless it may not leave, or is not wanted any more by then."""
        refusal = await self._refusal(order.track)
        if not (self._wanted(order) and order.track.fresh):
            return
        now_ms = self._clock()
        if refusal or self._reports.halted:
            why = refusal or _stopped(self._reports.halted)
            self._now(order, taken(order.track, Send(), Refused(why), now_ms))
            return
        if order.track.placement.client_id in self._maybe_sent:
            return self._halt(f"order {order.track.order_id}: another one left under its client id")
        self._remember(order.track.placement.client_id)
        order.track = sending(order.track, now_ms)
        await self._talk(order, Send())

    async def _refusal(self, track: Track) -> str:
        """Why an order may not leave; empty when it may. An order that cannot leave soon never does."""
        left_ms = track.left_by_ms + SEND_WITHIN_MS - self._clock()
        try:
            async with asyncio.timeout(left_ms / 1000):
                await self._opened.wait()
                assert self._gate is not None
                return await self._gate.refusal(track.order_id, track.placement, self._clock())
        except TimeoutError:
            trouble = self._trouble or "the database does not answer"
            return f"it could not be sent within {SEND_WITHIN_MS // 1000} s: {trouble}"
        except Halt as halt:
            self._halt(str(halt))
            return _stopped(self._reports.halted)

    async def _talk(self, order: Followed, step: Step) -> None:
        order.talking = True
        told = await self._told(order.track, step)
        order.talking = False
        self._now(order, taken(order.track, step, told, self._clock()))

    async def _told(self, track: Track, step: Step) -> Told:
        assert self._account is not None
        account, placement = self._account, track.placement
        match step:
            case Send():
                return await _answered(account.send(placement))
            case Ask():
                return await _answered(account.ask(placement.symbol, placement.client_id))
            case Cancel():
                cancel = account.cancel(placement.symbol, placement.client_id, track.exchange_id)
                return await _answered(cancel)
            case AskExecutions():
                return await _answered(account.executions(placement.symbol, track.exchange_id))
        raise AssertionError(step)

    def _now(self, order: Followed, track: Track) -> None:
        """The newest about an order: kept, and told."""
        order.track = track
        if track.mismatch:
            self._halt(track.mismatch)
        report = report_of(track)
        if report is not None and self._orders.get(track.order_id) is order:
            self._reports.put(report)

    # The end.

    def _halt(self, why: str) -> None:
        if self._reports.halted:
            return
        self._reports.halt(why)
        self._meanwhile(self._alarm(why))

    def _meanwhile(self, doing: Coroutine[Any, Any, None]) -> None:
        chore = asyncio.create_task(doing)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def _refresh(self, account: AccountPort) -> None:
        await _answered(account.refresh_filters())

    async def _alarm(self, why: str) -> None:
        """Tell the operator, also when persistence is just being started again."""
        for _ in range(LOG_TRIES):
            try:
                return await self._store.log("alarm", "execution", "halted", f"no order is sent: {why}")
            except AutotraderError:
                await asyncio.sleep(1)


def _stopped(halted: str) -> str:
    return f"nothing is sent any more: {halted}"


async def _answered(question: Awaitable[Got]) -> Got | Unknown:
    """The answer, or that there is none: whatever went wrong, the exchange may have done it."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await question
    except Exception as error:
        return Unknown(f"{type(error).__name__} while the exchange was asked")
