"""What to do next about one order at an exchange, and what an answer changes (rulebook 7).

An order is sent at most once. Whatever is unclear afterwards is asked for until it is clear; that the
exchange does not know an order counts only when the order can no longer be on its way, and twice.

A track is driven by `next_step` (what to do now), `sending` (called as the order leaves) and `taken` (what
came back). Times are milliseconds of any clock that only goes forward.
"""

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trading.exchange_orders import Absent, Answer, Execution, Placement, Refused, Standing, Stands, Unknown
from trading.orders import FINAL, OrderKind, OrderState

RECV_WINDOW_MS = 2_000
# An order is signed, with the time that the exchange's window begins at, within this time of being sent.
SIGN_WITHIN_MS = 500
WINDOW_MARGIN_MS = 1_000
ABSENT_AGAIN_MS = 500
FIRST_PAUSE_MS = 200
LONGEST_PAUSE_MS = 2_000
POLL_MARKET_MS = 300
POLL_PARTLY_FILLED_MS = 500
POLL_RESTING_MS = 2_000

STANDING = (OrderState.OPEN, OrderState.PARTLY_FILLED)
NEVER_ARRIVED = "it never reached the exchange"
FILLS_MISSING = "its fills are not all told yet"
NEVER_SENT = "it was cancelled before it was sent"


class Track(Struct, frozen=True):
    """All that is known of one order.

    `fresh`: it was never sent. `left_by_ms`: the last moment at which it can have left; `settled_ms`: how
    long after that it can still arrive. `pause_ms`: how long to wait after the next answer that helps
    nobody. `cancel`: it is to be cancelled; `cancel_tried`: that was asked for, and how the order stands
    since is not known. `executions_next`: its fills are asked for next, not the order itself.
    `absent_ms`: when the first absence that counts was asked for. `shrunk_ms`: since when the exchange
    tells less filled than before. `mismatch`: why the exchange's order is not ours, or empty.
    """

    order_id: str
    placement: Placement
    fresh: bool
    left_by_ms: int
    settled_ms: int
    due_ms: int = 0
    pause_ms: int = FIRST_PAUSE_MS
    cancel: bool = False
    cancel_tried: bool = False
    state: OrderState = OrderState.WAITING
    exchange_id: str = ""
    filled: Decimal = Decimal(0)
    executions: tuple[Execution, ...] = ()
    executions_next: bool = False
    absent_ms: int | None = None
    shrunk_ms: int | None = None
    why: str = ""
    mismatch: str = ""

    @property
    def complete(self) -> bool:
        """Whether every fill is told."""
        return _sum(self.executions) == self.filled

    @property
    def told_state(self) -> OrderState:
        """The state as others may rely on it: final only when every fill is told."""
        if self.mismatch:
            return OrderState.UNKNOWN
        return OrderState.PARTLY_FILLED if self.state in FINAL and not self.complete else self.state

    @property
    def ended(self) -> bool:
        """Whether nothing can change any more."""
        return self.told_state in FINAL


class Send(Struct, frozen=True):
    """Send the order: `sending` first."""


class Ask(Struct, frozen=True):
    """Ask the exchange for the order by its client id; `asked_ms` is when."""

    asked_ms: int


class AskExecutions(Struct, frozen=True):
    """Ask the exchange for the order's fills, by the exchange's id."""


class Cancel(Struct, frozen=True):
    """Cancel the order."""


class Wait(Struct, frozen=True):
    """Nothing before this time, unless a cancel is wanted."""

    until_ms: int


class Done(Struct, frozen=True):
    """Nothing, ever."""


Step = Send | Ask | AskExecutions | Cancel | Wait | Done
Told = Answer | tuple[Execution, ...]


def tracked(
    order_id: str, placement: Placement, fresh: bool, now_ms: int, recv_window_ms: int = RECV_WINDOW_MS
) -> Track:
    """An order that is heard of now: `fresh` when it was surely never sent, else it may have been.

    The exchange refuses what comes later than `recv_window_ms` after it was sent.
    """
    state = OrderState.WAITING if fresh else OrderState.UNKNOWN
    return Track(order_id, placement, fresh, now_ms, recv_window_ms + WINDOW_MARGIN_MS, state=state)


def to_be_cancelled(track: Track) -> Track:
    """The order is to be cancelled as soon as it is known to stand; one that was never sent ends here."""
    if track.cancel:
        return track
    if track.fresh:
        return replace(track, cancel=True, fresh=False, state=OrderState.CANCELLED, why=NEVER_SENT)
    return replace(track, cancel=True, due_ms=0 if track.state in STANDING else track.due_ms)


def next_step(track: Track, now_ms: int) -> Step:
    """What to do now."""
    if track.mismatch or track.ended:
        return Done()
    if now_ms < track.due_ms:
        return Wait(track.due_ms)
    if track.fresh:
        return Send()
    if track.cancel and not track.cancel_tried and track.state in STANDING:
        return Cancel()
    if track.executions_next or track.state in FINAL:
        return AskExecutions()
    return Ask(now_ms)


def sending(track: Track, now_ms: int) -> Track:
    """The order leaves now: from here on it may have been sent."""
    return replace(track, fresh=False, state=OrderState.UNKNOWN, left_by_ms=now_ms)


def _left(track: Track, now_ms: int) -> Track:
    """The answer to a send is here: the order was signed before, and soon after it was sent."""
    if track.fresh:
        return sending(track, now_ms)
    return replace(track, left_by_ms=min(now_ms, track.left_by_ms + SIGN_WITHIN_MS))


def taken(track: Track, step: Step, told: Told, now_ms: int) -> Track:
    """The track after the answer to a step, which came now.

    A refusal ends an order only as the answer to `Send`: elsewhere it tells nothing about the order.
    """
    if isinstance(step, Send):
        track = _left(track, now_ms)
    track = replace(track, executions_next=False, cancel_tried=track.cancel_tried or isinstance(step, Cancel))
    match told:
        case Stands(standing):
            asked = isinstance(step, Ask)
            return _stands(replace(track, cancel_tried=track.cancel_tried and not asked), standing, now_ms)
        case Refused(why) if isinstance(step, Send):
            return replace(track, state=OrderState.REFUSED, why=why)
        case Absent() if isinstance(step, Ask):
            return _absent(track, step.asked_ms, now_ms)
        case Unknown(why, wait_ms):
            return _again(track, now_ms, why, wait_ms)
        case Refused() | Absent():
            unknown = "the exchange knows no such order now"
            return _again(track, now_ms, told.why if isinstance(told, Refused) else unknown)
    return _executed(track, told, now_ms)


def _again(track: Track, now_ms: int, why: str, wait_ms: int = 0) -> Track:
    """The answer helped nobody: go on after a pause, longer each time."""
    pause_ms = min(2 * track.pause_ms, LONGEST_PAUSE_MS)
    return replace(track, due_ms=now_ms + max(track.pause_ms, wait_ms), pause_ms=pause_ms, why=why)


def _absent(track: Track, asked_ms: int, now_ms: int) -> Track:
    """An order that was once there is asked for in another way; else absence counts when it is certain."""
    if track.exchange_id:
        later = _again(track, now_ms, "the exchange does not find the order, which it knew before")
        return replace(later, executions_next=True)
    certain_ms = track.left_by_ms + track.settled_ms
    if asked_ms < certain_ms:
        later = _again(track, now_ms, "the exchange does not know the order yet")
        return replace(later, due_ms=max(now_ms, min(later.due_ms, certain_ms)))
    if track.absent_ms is not None and asked_ms >= track.absent_ms + ABSENT_AGAIN_MS:
        return replace(track, state=OrderState.REFUSED, why=NEVER_ARRIVED)
    first_ms = asked_ms if track.absent_ms is None else track.absent_ms
    again_ms = max(now_ms, first_ms + ABSENT_AGAIN_MS)
    return replace(track, absent_ms=first_ms, due_ms=again_ms, why="the exchange does not know the order")


def _stands(track: Track, standing: Standing, now_ms: int) -> Track:
    mismatch = _mismatch(track, standing)
    if mismatch:
        return replace(track, mismatch=mismatch)
    track = replace(track, exchange_id=standing.exchange_id)
    if standing.filled < track.filled:
        return _shrunk(track, standing, now_ms)
    unfilled = standing.state is OrderState.FILLED and not standing.filled
    if unfilled or not standing.exchange_id or standing.state in (OrderState.WAITING, OrderState.UNKNOWN):
        return _again(track, now_ms, "the exchange does not say how the order stands")
    track = replace(track, state=standing.state, filled=standing.filled, shrunk_ms=None, why="")
    return _scheduled(_with_executions(track, standing.executions), now_ms)


def _mismatch(track: Track, standing: Standing) -> str:
    """Why what stands at the exchange is not the order that was sent; empty when it is."""
    placement = track.placement
    facts = [
        ("client id", placement.client_id, standing.client_id),
        ("symbol", placement.symbol, standing.symbol),
        ("side", placement.side, standing.side),
        ("amount", placement.amount, standing.amount),
        ("id at the exchange", track.exchange_id or standing.exchange_id, standing.exchange_id),
    ]
    for name, ours, theirs in facts:
        if ours != theirs:
            return f"order {track.order_id}: its {name} is {ours}, but {theirs} at the exchange"
    return ""


def _shrunk(track: Track, standing: Standing, now_ms: int) -> Track:
    """Less is filled than was told before: an old answer, or, when it lasts, not our order."""
    since_ms = now_ms if track.shrunk_ms is None else track.shrunk_ms
    why = f"order {track.order_id}: {track.filled} was filled, but {standing.filled} at the exchange"
    if now_ms - since_ms > track.settled_ms:
        return replace(track, mismatch=why)
    return replace(_again(track, now_ms, why), shrunk_ms=since_ms)


def _executed(track: Track, executions: tuple[Execution, ...], now_ms: int) -> Track:
    known = track.executions
    track = _with_executions(track, executions)
    if track.state not in FINAL and track.filled:
        whole = track.filled == track.placement.amount
        track = replace(track, state=OrderState.FILLED if whole else OrderState.PARTLY_FILLED)
    if track.ended:
        return replace(track, why="")
    if track.complete and track.executions != known:
        return _polled(track, now_ms)
    return _again(track, now_ms, track.why or FILLS_MISSING)


def _with_executions(track: Track, executions: tuple[Execution, ...]) -> Track:
    """Fills are facts: each is kept once, as it was first told with its fee, and counts as filled."""
    known = {each.id: each for each in track.executions}
    for each in executions:
        if each.id not in known or not known[each.id].fee_currency:
            known[each.id] = each
    kept = tuple(known.values())
    track = replace(track, executions=kept, filled=max(track.filled, _sum(kept)))
    if track.filled <= track.placement.amount:
        return track
    why = f"order {track.order_id}: {track.filled} of {track.placement.amount} is filled at the exchange"
    return replace(track, mismatch=why)


def _scheduled(track: Track, now_ms: int) -> Track:
    """When to act next on an order that was just seen."""
    if track.ended:
        return track
    if not track.complete:
        return replace(track, due_ms=now_ms, executions_next=True, why=FILLS_MISSING)
    if track.cancel:
        return _again(track, now_ms, "") if track.cancel_tried else replace(track, due_ms=now_ms)
    return _polled(track, now_ms)


def _polled(track: Track, now_ms: int) -> Track:
    """All that happened is known: look again later."""
    if track.state is OrderState.PARTLY_FILLED:
        poll_ms = POLL_PARTLY_FILLED_MS
    else:
        poll_ms = POLL_MARKET_MS if track.placement.kind is OrderKind.MARKET else POLL_RESTING_MS
    return replace(track, due_ms=now_ms + poll_ms, pause_ms=FIRST_PAUSE_MS, why="")


def _sum(executions: tuple[Execution, ...]) -> Decimal:
    return sum((each.amount for each in executions), Decimal(0))
