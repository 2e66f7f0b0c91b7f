"""What a batch of entries changes in the table of orders: one row an order, as its last decision left it."""

from collections.abc import Iterator

from actors.persistence.rows import Row, filled_order_row, order_row
from actors.persistence.units import Units
from trading.decisions import (
    AnyDecision,
    CancelIntended,
    FillBooked,
    OrderChanged,
    OrderEnded,
    OrderIntended,
    OrderReasonRaised,
)
from trading.events import OrderReported
from trading.journal import Entry

ORDER_DECISIONS = (OrderIntended, OrderReasonRaised, OrderChanged, CancelIntended, OrderEnded)


class OrderRows:
    """Folds decisions on orders in their order.

    `whole` are rows of orders that are known in full, `parts` what changed of others, by their ids; `fills`
    are rows of the orders that a simulated fill may have made: a stop or target never waited as an order.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self.whole: dict[str, Row] = {}
        self.fills: dict[str, Row] = {}
        self.parts: dict[str, Row] = {}

    def add(self, decision: AnyDecision, entry: Entry) -> None:
        """Take in the next one of `ORDER_DECISIONS`, or fill."""
        match decision:
            case OrderIntended(order=order) | OrderReasonRaised(order=order) | OrderChanged(order=order):
                self._replace(order_row(order, entry.sequence, self._units))
            case CancelIntended():
                self._change(decision.order_id, {"cancelling": decision.why})
            case OrderEnded(ending=ending):
                self._change(ending.order_id, {"state": ending.state.value, "ended_why": ending.why})
            case FillBooked() if not isinstance(entry.event, OrderReported):
                self._fill(filled_order_row(decision.fill, entry.sequence, self._units))

    def _replace(self, row: Row) -> None:
        """What an exchange says of its order stands in `OrderChanged`, which is the whole truth."""
        before = self.whole.get(row["id"])
        self.parts.pop(row["id"], None)
        self.whole[row["id"]] = {**row, "sequence": before["sequence"]} if before else row

    def _change(self, order_id: str, changed: Row) -> None:
        for rows in (self.whole, self.fills):
            if order_id in rows:
                rows[order_id].update(changed)
                return
        self.parts.setdefault(order_id, {}).update(changed)

    def _fill(self, row: Row) -> None:
        known = self.whole.get(row["id"])
        if known is None:
            self.fills[row["id"]] = row
        else:
            known.update(state=row["state"], filled=row["filled"])

    def changes(self) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
        """`parts` by the columns that they change; each row has its order's id as `b_id`."""
        groups: dict[tuple[str, ...], list[Row]] = {}
        for order_id, changed in self.parts.items():
            groups.setdefault(tuple(sorted(changed)), []).append({"b_id": order_id, **changed})
        yield from groups.items()
