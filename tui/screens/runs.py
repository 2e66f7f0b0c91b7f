"""Backtests and sweeps: start them, watch them, see what came out."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from google.protobuf.timestamp_pb2 import Timestamp
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Sparkline

from autotrader.v1 import common_pb2, run_pb2
from tui import text
from tui.client import ClientError, request_id
from tui.dialogs.form import Form
from tui.facts import Facts
from tui.paint import meter, paint, pieces
from tui.run_forms import BadRun, backtest_fields, backtest_request, sweep_fields, sweep_request
from tui.screens.tabled import Tabled
from tui.widgets.table import Column, Row
from tui.words import RUN_KINDS, RUN_STATES, UNKNOWN

COLUMNS = (
    Column("state", "State", 11),
    Column("kind", "Kind", 9),
    Column("bar", "Progress", 12),
    Column("result", "Result", 16),
    Column("title", "What", 20, grows=True),
    Column("by", "By", 10, 1),
    Column("time", "Asked (UTC)", 16, 2),
)
FIRST_FIGURES = ("total_return_percent", "sharpe", "max_drawdown_percent", "trades", "win_rate_percent")
LISTED = 100


class RunsScreen(Tabled):
    """Progress comes by the stream; the panel below has the result."""

    MODE = "runs"
    COLUMNS = COLUMNS
    NEWS: ClassVar[frozenset[str]] = frozenset()
    DETAIL = "Result"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "start_backtest", "Backtest"),
        Binding("s", "start_sweep", "Sweep"),
        Binding("c", "cancel_run", "Cancel"),
    ]

    def body(self) -> ComposeResult:
        yield from super().body()
        curve = Sparkline([], id="curve")
        curve.display = False
        yield curve

    async def fetch(self) -> list[Row]:
        """The newest runs. Raises ClientError."""
        request = run_pb2.ListRunsRequest(page=common_pb2.Page(size=LISTED))
        answer = await self.console.client.runs.ListRuns(request)
        self.console.facts.runs = {run.id: run for run in answer.runs}
        return self._rows()

    def _rows(self) -> list[Row]:
        runs = sorted(self.console.facts.runs.values(), key=lambda run: -run.created_at.seconds)
        return [run_row(run) for run in runs]

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """The stream tells how runs go on; the list is read when the screen is shown."""
        super().show(facts, changed)
        if "run" in changed and facts.runs and "link" not in changed:
            self.fill(self._rows())

    def detail(self, row: Row) -> Content:
        """The result, and its equity as a sparkline below."""
        if not isinstance(row.source, run_pb2.Run):
            return Content("")
        curve = self.query_one("#curve", Sparkline)
        curve.data = list(row.source.equity_quote)
        curve.display = bool(row.source.equity_quote)
        return run_text(row.source)

    def action_start_backtest(self) -> None:
        """Ask what to simulate, and start."""
        self.console.do(self._start_backtest())

    def action_start_sweep(self) -> None:
        """Ask what to try, and start."""
        self.console.do(self._start_sweep())

    def action_cancel_run(self) -> None:
        """End the chosen run."""
        row = self.table.chosen
        if row:
            request = run_pb2.CancelRunRequest(request_id=request_id(), id=row.key)
            self.console.do(self.change(self.console.client.runs.CancelRun, request))

    async def _files(self) -> Sequence[run_pb2.CandleFile] | None:
        try:
            request = run_pb2.ListCandleFilesRequest()
            files = (await self.console.client.runs.ListCandleFiles(request)).files
        except ClientError as error:
            self.console.complain(error)
            return None
        if not files:
            self.console.warn(
                "there is no candle file in the engine's data folder; `autotrader data` makes some"
            )
        return files or None

    async def _start_backtest(self) -> None:
        files = await self._files()
        if files is None:
            return
        answers = await self.app.push_screen_wait(Form("Start a backtest", backtest_fields(files)))
        if answers:
            try:
                request = backtest_request(answers, files, request_id())
            except BadRun as error:
                self.console.warn(str(error))
            else:
                await self.change(self.console.client.runs.StartBacktest, request)

    async def _start_sweep(self) -> None:
        files = await self._files()
        if files is None:
            return
        answers = await self.app.push_screen_wait(Form("Start a sweep", sweep_fields(files)))
        if answers:
            try:
                request = sweep_request(answers, files, request_id())
            except BadRun as error:
                self.console.warn(str(error))
            else:
                await self.change(self.console.client.runs.StartSweep, request)


def run_row(run: run_pb2.Run) -> Row:
    """A run in a line."""
    state = RUN_STATES.get(run.state, UNKNOWN)
    cells = {
        "state": paint(str(state), state.tone),
        "kind": paint(RUN_KINDS.get(run.kind, text.NONE)),
        "bar": meter(run.progress_percent / 100, 8, "accent") + paint(f"{run.progress_percent:>4.0f}"),
        "result": paint(_short_result(run)),
        "title": paint(run.title),
        "by": paint(run.started_by, "dim"),
        "time": paint(text.moment(run.created_at), "dim"),
    }
    return Row(run.id, cells, run)


def _short_result(run: run_pb2.Run) -> str:
    total = run.figures.get("total_return_percent") if run.figures else None
    return f"{total:+.2f} %" if total is not None else text.NONE


def run_text(run: run_pb2.Run) -> Content:
    """A run in full."""
    parts = [pieces((run.title, "strong"), (f"   {_times(run)}", "dim"))]
    if run.failure:
        parts.append(paint(f"✖ {run.failure}", "bad"))
    if run.progress_text:
        parts.append(paint(run.progress_text))
    if run.best:
        parts.append(
            pieces(("best  ", "dim"), (", ".join(f"{k}={run.best[k]}" for k in sorted(run.best)), "accent"))
        )
    if run.verdict:
        parts.append(paint(run.verdict, "warn"))
    if run.figures:
        parts.append(figures(run.figures))
    if run.files:
        parts.append(pieces(("files ", "dim"), (", ".join(run.files), "")))
    return Content("\n").join(parts)


def figures(values: Mapping[str, float]) -> Content:
    """Every figure, those that one looks for first."""
    names = [name for name in FIRST_FIGURES if name in values]
    names += sorted(set(values) - set(names))
    return Content("   ").join(
        pieces((f"{text.readable(name)} ", "dim"), (f"{values[name]:,.4g}", "")) for name in names
    )


def _times(run: run_pb2.Run) -> str:
    if _set(run.started_at) and _set(run.ended_at):
        return f"took {text.span(run.ended_at.seconds - run.started_at.seconds)}"
    return f"since {text.moment(run.started_at)} UTC" if _set(run.started_at) else "not begun"


def _set(time: Timestamp) -> bool:
    return bool(time.seconds)


SCREEN = RunsScreen
