"""A tiny exchange in memory for one order, and what can go wrong with each request to it."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from trading.exchange_orders import (
    Absent,
    Answer,
    Execution,
    Placement,
    Refused,
    Standing,
    Stands,
    Unknown,
)
from trading.order_tracking import SIGN_WITHIN_MS, Ask, AskExecutions, Cancel, Send, Step, Told
from trading.orders import OrderKind, OrderState
from trading.signals import Side


class What(StrEnum):
    """What becomes of a request; the crashes are ours."""

    WELL = "well"
    LOST_BEFORE = "lost before it was done"
    LOST_AFTER = "lost after it was done"
    LATE = "lost, and done later"
    BANNED = "not taken now"
    REFUSED = "refused"
    OLD = "answered from an old copy"
    CRASH_BEFORE = "crash before it was done"
    CRASH_AFTER = "crash after it was done"
    CRASH_LATE = "crash, and done later"


CRASHES = (What.CRASH_BEFORE, What.CRASH_AFTER, What.CRASH_LATE)


class Fault(Struct, frozen=True):
    """What becomes of a request, how long it takes, how much later it is done (or how old a copy is)."""

    what: What = What.WELL
    took_ms: int = 10
    late_ms: int = 0


class Part(Struct, frozen=True):
    """A fill: so long after the order came, of so many tenths."""

    after_ms: int
    tenths: int


class Case(Struct, frozen=True):
    """An order's life: its fills, when it would expire (after it came), when its cancel is wanted, what goes
    wrong with each request in turn, and how much later what happened is seen."""

    kind: OrderKind = OrderKind.LIMIT
    parts: tuple[Part, ...] = ()
    expires_ms: int = 60_000
    cancel_ms: int | None = None
    faults: tuple[Fault, ...] = ()
    order_hidden_ms: int = 0
    fills_hidden_ms: int = 0
    acks_with_fills: bool = True
    cancels_at_once: bool = True


def placement(kind: OrderKind = OrderKind.LIMIT) -> Placement:
    """An order of one coin."""
    return Placement("at12345678-0123456789abcdef0123", "BTC/USDT", Side.BUY, kind, Decimal(1))


class Model:
    """The exchange: at most one order, and the truth about it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.came_ms: int | None = None
        self.cancelled_ms: int | None = None
        self.sends = 0
        self.refused = False

    def answer(self, step: Step, fault: Fault, now_ms: int) -> Told:
        """What comes back `fault.took_ms` after now."""
        if isinstance(step, Send):
            self.sends += 1
        back_ms = now_ms + fault.took_ms
        match fault.what:
            case What.LOST_BEFORE | What.CRASH_BEFORE:
                return Unknown("reset")
            case What.BANNED:
                return Refused("418") if isinstance(step, Send) else Unknown("418", fault.late_ms)
            case What.REFUSED if isinstance(step, Send):
                return Refused("insufficient funds")
            case What.LATE | What.CRASH_LATE:
                signed_ms = min(back_ms, now_ms + SIGN_WITHIN_MS)
                self._do(step, signed_ms + fault.late_ms)
                return Unknown("time-out")
        self._do(step, now_ms)
        if fault.what in (What.LOST_AFTER, What.CRASH_AFTER):
            return Unknown("time-out")
        seen_ms = now_ms - min(fault.late_ms, 900) if fault.what is What.OLD else now_ms
        return self._told(step, seen_ms)

    def standing(self, at_ms: int, seen_ms: int | None = None) -> Standing:
        """How the order stands at a moment; its fills as they are seen."""
        came_ms = self.came_ms
        assert came_ms is not None
        fills = [part for part in self._fills() if came_ms + part.after_ms <= at_ms]
        ended_ms, state = self._end()
        filled = _amount(fills)
        if at_ms < ended_ms:
            state = OrderState.PARTLY_FILLED if filled else OrderState.OPEN
        seen = at_ms - self.case.fills_hidden_ms if seen_ms is None else seen_ms
        told = tuple(
            Execution(str(number), Decimal(100), _amount([part]), Decimal("0.01"), "USDT", part.after_ms)
            for number, part in enumerate(fills)
            if came_ms + part.after_ms <= seen
        )
        order = placement(self.case.kind)
        return Standing(
            order.client_id, "7", order.symbol, order.side, order.kind, order.amount, state, filled, told
        )

    def _told(self, step: Step, at_ms: int) -> Told:
        match step:
            case Send():
                return self._stands(at_ms, self.case.acks_with_fills)
            case Ask():
                return self._stands(at_ms, False) if self._seen(at_ms) else Absent()
            case Cancel():
                if not self._seen(at_ms) or self._end()[0] < at_ms:
                    return Absent()
                return self._stands(at_ms, True) if self.case.cancels_at_once else Unknown("pending")
            case AskExecutions():
                executions = self.standing(at_ms).executions
                return executions + executions[:1]
        raise AssertionError(step)

    def _stands(self, at_ms: int, with_fills: bool) -> Answer:
        return Stands(self.standing(at_ms, None if with_fills else -1))

    def _seen(self, at_ms: int) -> bool:
        return self.came_ms is not None and at_ms >= self.came_ms + self.case.order_hidden_ms

    def _do(self, step: Step, at_ms: int) -> None:
        """A send that is late, and a cancel, are done when they arrive."""
        if isinstance(step, Send):
            assert self.came_ms is None
            self.came_ms = at_ms
        if isinstance(step, Cancel) and self._seen(at_ms) and at_ms < self._end()[0]:
            self.cancelled_ms = at_ms

    def _fills(self) -> list[Part]:
        """Those that come before the end, at most ten tenths."""
        assert self.came_ms is not None
        limits = [self.came_ms + self.case.expires_ms]
        if self.cancelled_ms is not None:
            limits.append(self.cancelled_ms)
        fills: list[Part] = []
        for part in sorted(self.case.parts, key=lambda each: each.after_ms):
            left = 10 - sum(each.tenths for each in fills)
            if left and self.came_ms + part.after_ms < min(limits):
                fills.append(Part(part.after_ms, min(part.tenths, left)))
        return fills

    def _end(self) -> tuple[int, OrderState]:
        """When the order is final, and how."""
        assert self.came_ms is not None
        fills = self._fills()
        if sum(each.tenths for each in fills) == 10:
            return self.came_ms + fills[-1].after_ms, OrderState.FILLED
        if self.cancelled_ms is not None:
            return self.cancelled_ms, OrderState.CANCELLED
        return self.came_ms + self.case.expires_ms, OrderState.EXPIRED


def _amount(parts: list[Part]) -> Decimal:
    return Decimal(sum(part.tenths for part in parts)) / 10
