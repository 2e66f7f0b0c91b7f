"""The voters: health, record, latest votes; on or off, weight, add, remove."""

from collections.abc import Sequence
from typing import ClassVar

from google.protobuf.field_mask_pb2 import FieldMask
from textual.binding import Binding, BindingType
from textual.content import Content

from autotrader.v1 import engine_pb2, strategy_pb2
from tui import text
from tui.client import ClientError, request_id
from tui.dialogs.form import Field, Form
from tui.paint import paint, pieces, result
from tui.screens.tabled import Tabled
from tui.settings import BadSettings, parse_settings
from tui.why import vote_lines
from tui.widgets.table import Column, Row
from tui.words import HEALTHS, SIDES, UNKNOWN

COLUMNS = (
    Column("name", "Name", 13),
    Column("enabled", "Votes", 6),
    Column("weight", "Weight", 7, right=True),
    Column("health", "Health", 11),
    Column("votes", "Latest", 12, 1),
    Column("trades", "Trades", 7, right=True),
    Column("won", "Won %", 6, 2, right=True),
    Column("profit", "Profit", 11, right=True),
    Column("type", "Type", 15, 3),
    Column("params", "Parameters", 30, 4, grows=True),
)


class StrategiesScreen(Tabled):
    """Enter or space turns a strategy on or off; the panel below has its votes with their reasons."""

    MODE = "strategies"
    COLUMNS = COLUMNS
    NEWS: ClassVar[frozenset[str]] = frozenset({"status"})
    DETAIL = "Votes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_strategy", "On/off", key_display="space"),
        Binding("w", "weigh_strategy", "Weight"),
        Binding("a", "add_strategy", "Add"),
        Binding("delete,d", "remove_strategy", "Remove", key_display="d"),
    ]

    async def fetch(self) -> list[Row]:
        """Every strategy. Raises ClientError."""
        request = strategy_pb2.ListStrategiesRequest()
        answer = await self.console.client.strategies.ListStrategies(request)
        return [strategy_row(strategy) for strategy in answer.strategies]

    def detail(self, row: Row) -> Content:
        """Its state, its parameters and its votes."""
        return strategy_text(row.source) if isinstance(row.source, strategy_pb2.Strategy) else Content("")

    def _chosen(self) -> strategy_pb2.Strategy | None:
        row = self.table.chosen
        return row.source if row and isinstance(row.source, strategy_pb2.Strategy) else None

    def action_toggle_strategy(self) -> None:
        """Turn the chosen strategy on or off."""
        if strategy := self._chosen():
            change = strategy_pb2.StrategyChange(enabled=not strategy.enabled)
            self.console.do(self._update(strategy.name, change, "enabled"))

    def action_weigh_strategy(self) -> None:
        """Give the chosen strategy another weight."""
        if strategy := self._chosen():
            self.console.do(self._weigh(strategy))

    def action_add_strategy(self) -> None:
        """Add a strategy."""
        self.console.do(self._add())

    def action_remove_strategy(self) -> None:
        """Take the chosen strategy away."""
        if strategy := self._chosen():
            self.console.do(self._remove(strategy.name))

    async def _update(self, name: str, change: strategy_pb2.StrategyChange, field: str) -> None:
        request = strategy_pb2.UpdateStrategyRequest(
            request_id=request_id(), name=name, change=change, update_mask=FieldMask(paths=[field])
        )
        await self.change(self.console.client.strategies.UpdateStrategy, request)

    async def _weigh(self, strategy: strategy_pb2.Strategy) -> None:
        field = Field("weight", "Weight, at least 0", strategy.weight)
        answers = await self.app.push_screen_wait(Form(f"Weight of {text.visible(strategy.name)}", [field]))
        if answers:
            await self._update(strategy.name, strategy_pb2.StrategyChange(weight=answers["weight"]), "weight")

    async def _add(self) -> None:
        try:
            request = strategy_pb2.ListStrategyTypesRequest()
            types = (await self.console.client.strategies.ListStrategyTypes(request)).types
        except ClientError as error:
            self.console.complain(error)
            return
        answers = await self.app.push_screen_wait(Form("Add a strategy", add_fields(types)))
        if not answers:
            return
        try:
            params = dict(parse_settings(answers["params"]))
        except BadSettings as error:
            self.console.warn(str(error))
            return
        wanted = strategy_pb2.AddStrategyRequest(
            request_id=request_id(),
            name=answers["name"],
            type=answers["type"],
            weight=answers["weight"],
            params=params,
        )
        await self.change(self.console.client.strategies.AddStrategy, wanted)

    async def _remove(self, name: str) -> None:
        explanation = "It votes no more, and its settings are gone. Positions that it voted for stay."
        if await self.console.commands.confirmed(f"Remove {text.visible(name)}", explanation, "remove"):
            request = strategy_pb2.RemoveStrategyRequest(request_id=request_id(), name=name)
            await self.change(self.console.client.strategies.RemoveStrategy, request)


def add_fields(types: Sequence[strategy_pb2.StrategyType]) -> list[Field]:
    """What is asked for a new strategy."""
    choices = [(_type_words(each), each.name) for each in types]
    return [
        Field("type", "Type", choices=choices),
        Field("name", "Name", hint="letters, digits, _ and -"),
        Field("weight", "Weight", "1"),
        Field("params", "Parameters that differ", hint="fast=20, slow=50", optional=True),
    ]


def _type_words(kind: strategy_pb2.StrategyType) -> str:
    parameters = ", ".join(f"{each.name}={each.default_value}" for each in kind.parameters)
    return text.visible(f"{kind.name} ({parameters})" if parameters else kind.name)


def strategy_row(strategy: strategy_pb2.Strategy) -> Row:
    """A strategy in a line."""
    health = HEALTHS.get(strategy.health, UNKNOWN)
    record = strategy.record
    sides = (SIDES.get(latest.vote.side, UNKNOWN) for latest in strategy.latest_votes)
    cells = {
        "name": paint(strategy.name, "strong"),
        "type": paint(strategy.type),
        "enabled": paint("✔ on", "good") if strategy.enabled else paint("- off", "dim"),
        "weight": paint(text.number(strategy.weight)),
        "health": paint(str(health), health.tone),
        "votes": Content(" ").join(paint(side.symbol, side.tone) for side in sides),
        "trades": paint(f"{record.trades:,}"),
        "won": paint(f"{100 * record.winners / record.trades:.0f}" if record.trades else text.NONE),
        "profit": result(record.realized_profit_quote),
        "params": paint(_params(strategy), "dim"),
    }
    return Row(strategy.name, cells, strategy)


def _params(strategy: strategy_pb2.Strategy) -> str:
    return ", ".join(f"{key}={strategy.params[key]}" for key in sorted(strategy.params)) or text.NONE


def strategy_text(strategy: strategy_pb2.Strategy) -> Content:
    """A strategy in full."""
    lines = [
        pieces((f"{strategy.type} ", "strong"), (_params(strategy), ""), (_counts(strategy), "dim")),
    ]
    if strategy.note or strategy.health not in (engine_pb2.HEALTH_OK, engine_pb2.HEALTH_UNSPECIFIED):
        health = HEALTHS.get(strategy.health, UNKNOWN)
        lines.append(pieces((f"{health}: ", health.tone), (strategy.note or text.NONE, "")))
    for latest in strategy.latest_votes:
        head, *reasons = vote_lines(latest.vote)
        lines += [paint(f"{latest.symbol:<10} ") + head, *reasons]
    if not strategy.latest_votes:
        lines.append(paint("no valid signal", "dim"))
    return Content("\n").join(lines)


def _counts(strategy: strategy_pb2.Strategy) -> str:
    return f"   warms up for {strategy.warmup_candles} candles, a signal counts at {strategy.valid_candles}"


SCREEN = StrategiesScreen
