"""A sweep from its plan to its files: passes over the candles, the best, the walk-forward, the verdict."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from backtest.fast.signals import Codes, Key
from backtest.luck.null import NullBests
from backtest.luck.sampling import sampled_trials
from backtest.luck.verdict import Luck
from backtest.results import RunResult, write_file, write_parquet
from backtest.sweep import store, walk_forward
from backtest.sweep.full_run import full_run, run_returns
from backtest.sweep.page import report_of
from backtest.sweep.permuted import permutation_seeds, permuted_sweep
from backtest.sweep.plan import Applied, SweepPlan
from backtest.sweep.progress import Pace, Progress, State
from backtest.sweep.samplers import Round, rounds
from backtest.sweep.scores import Scores
from backtest.sweep.signals import MakeSignals, OnCandles, signal_sets
from backtest.sweep.summary import summary_of
from backtest.sweep.trials import Trial, Trials
from backtest.sweep.verdict import luck_on
from backtest.sweep.walk_forward import WalkForward
from backtest.sweep.windows import Span, Window, span_of
from backtest.workers import Pool
from trading.errors import OperationError
from trading.settings import Settings

OnProgress = Callable[[Progress], None]


class SweepCancelled(OperationError):
    """The sweep was cancelled; what was done is stored."""


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its document, all trials by number, the best trial's settings and its run.

    `best_settings` and `best_run` are None when no trial has the objective's figure, and when the sweep
    was finished before: then its files hold everything.
    """

    summary: dict[str, Any]
    trials: pl.DataFrame
    best_settings: Settings | None = None
    best_run: RunResult | None = None
    was_finished: bool = False


class Sweep:
    """One sweep: it can be watched and, from another thread, cancelled.

    Results are written to `out` as they come; with `resume`, one that was begun there goes on, without it
    the folder must not hold one. Without `out` nothing is kept but the result. `workers` are processes
    [the CPUs of the cluster]; their number changes nothing in the results. `on_progress` is called in the
    thread that runs. `to_toml` writes the settings file of the best, best.toml.
    """

    def __init__(
        self,
        plan: SweepPlan,
        *,
        out: Path | None = None,
        resume: bool = False,
        workers: int | None = None,
        on_progress: OnProgress = lambda _progress: None,
        to_toml: Callable[[Settings], str] | None = None,
    ) -> None:
        self.plan = plan
        self.id = plan.id
        self.state: State = "queued"
        self._out, self._resume, self._workers = out, resume, workers
        self._on_progress, self._to_toml = on_progress, to_toml
        self._cancelled = threading.Event()
        self._pool: Pool[Any, Any] | None = None
        self._signals: dict[Key, Callable[[], Codes]] = {}
        self._pace = Pace()
        self._done_before, self._failed_before = 0, 0

    def cancel(self) -> None:
        """Stop soon; `run` then raises SweepCancelled."""
        self._cancelled.set()

    def run(self) -> SweepResult:
        """Run to the end, once.

        Raises InputError for an `out` that cannot be used, SweepCancelled, and OperationError when
        every trial failed or no worker can be kept alive.
        """
        self.state = "running"
        try:
            result = self._run()
        except SweepCancelled:
            self.state = "cancelled"
            raise
        except BaseException:
            self.state = "failed"
            raise
        self.state = "done"
        return result

    def _run(self) -> SweepResult:
        with ExitStack() as stack:
            folder = self._out or Path(stack.enter_context(TemporaryDirectory(prefix="sweep-")))
            stack.enter_context(store.opened(folder, self.plan, self._resume))
            if store.is_finished(folder):
                trials = pl.read_parquet(folder / "trials.parquet")
                return SweepResult(store.read_summary(folder), trials, was_finished=True)
            with self._workers_at_hand():
                return self._finished(folder)

    @contextmanager
    def _workers_at_hand(self) -> Iterator[None]:
        """The pool is made when the first trial is missing, and ended here."""
        try:
            yield
        finally:
            if self._pool is not None:
                self._pool.close()

    def _finished(self, folder: Path) -> SweepResult:
        plan = self.plan
        whole = _Pass(folder, plan, number=0)
        self._make(whole, span_of(plan.study))
        trials = whole.parts.merged()
        write_parquet(folder / "trials.parquet", trials)
        if whole.scores.failed == plan.trials:
            error = trials["error"].drop_nulls()[0]
            raise OperationError(f"all {plan.trials:,} trials failed; the first one said: {error}")
        best = whole.scores.best
        settings = run = luck = None
        if best is not None:
            settings = Applied(plan.settings, plan.space).at(whole.place_of(best))
            run = full_run(plan.study, settings)
            luck = self._luck(folder, whole, trials, best, run)
        walk = self._walk(folder) if plan.windows else None
        summary = summary_of(plan, trials, whole.place_of, walk, luck)
        if settings is not None and self._to_toml is not None:
            write_file(folder / "best.toml", self._to_toml(settings).encode())
        if self._out is not None:
            from backtest.report.sweep import write_sweep_report

            write_sweep_report(report_of(plan, trials, best, run, walk, luck), folder / "report.html")
        store.finish(folder, plan, summary)
        return SweepResult(summary, trials, settings, run)

    def _luck(self, folder: Path, whole: "_Pass", trials: pl.DataFrame, best: int, run: RunResult) -> Luck:
        returns = whole.parts.returns()
        if best not in returns:
            returns[best] = run_returns(run)
        kept = sampled_trials(self.plan.trials, self.plan.seed, best).tolist()
        returns = {number: returns[number] for number in kept if number in returns}
        frame = pl.DataFrame({str(number): each for number, each in returns.items()})
        write_parquet(folder / "returns.parquet", frame)
        null = self._null(whole, trials) if self.plan.permutations else None
        return luck_on(self.plan, trials, returns, best, run, null)

    def _null(self, whole: "_Pass", trials: pl.DataFrame) -> NullBests:
        """What the same sweep finds in candles without a pattern."""
        plan = self.plan
        made = trials.filter(pl.col("error").is_null())["trial"]
        permuted = permuted_sweep(plan, [whole.place_of(number) for number in made])
        pool = self._ready_pool()
        found: list[pl.DataFrame] = []
        for each in pool.results(
            permuted, permutation_seeds(plan), plan.permutations, self._cancelled.is_set
        ):
            found.append(each)
            self._tell(whole, permuted=sum(part.height for part in found))
        if self._cancelled.is_set():
            raise SweepCancelled(f"cancelled before all of the {plan.permutations:,} permuted sweeps")
        bests = pl.concat(found).sort("seed")["best"].to_list()
        observed = whole.scores.best_score
        assert observed is not None
        return NullBests(observed, bests, len(permuted.places))

    def _walk(self, folder: Path) -> WalkForward:
        walk = walk_forward.walked_forward(self.plan, lambda *window: self._chosen(folder, *window))
        write_parquet(folder / "walk_forward.parquet", walk_forward.table_of(self.plan, walk))
        write_parquet(folder / "walk_forward_equity.parquet", walk_forward.equity_of(walk))
        return walk

    def _chosen(self, folder: Path, number: int, window: Window) -> walk_forward.Chosen | None:
        made = _Pass(folder, self.plan, number)
        self._make(made, window.in_sample)
        best = made.scores.best
        if best is None:
            return None
        figures = made.parts.merged().row(best, named=True)
        return walk_forward.Chosen(best, self.plan.space.values(made.place_of(best)), figures)

    def _make(self, made: "_Pass", span: Span) -> None:
        """Make the trials that a pass does not have yet."""
        for each in made.parts.stored(made.scores.columns):
            made.scores.take(each)
        self._tell(made)
        try:
            for turn in made.rounds():
                for trials in self._results(made, turn, span):
                    made.parts.add(trials)
                    made.scores.take(trials)
                    self._pace.add(trials.height)
                    self._tell(made)
        finally:
            made.parts.flush()
        self._done_before += made.scores.done
        self._failed_before += made.scores.failed

    def _results(self, made: "_Pass", turn: Round, span: Span) -> Iterator[pl.DataFrame]:
        missing = made.missing(turn)
        count = made.count_missing(turn)
        if count:
            pool = self._ready_pool()
            ground = OnCandles(span, self._signals)
            yield from pool.results(ground, missing, count, self._cancelled.is_set)
        if self._cancelled.is_set():
            done = self._done_before + made.scores.done
            raise SweepCancelled(f"cancelled after {done:,} of {self.plan.all_trials:,} trials")

    def _ready_pool(self) -> Pool[Any, Any]:
        """Workers with the plan in them; they share the candles' arrays, and the signals, made here once."""
        plan = self.plan
        if self._pool is None:
            _ = plan.study.candles.close_sums
            self._pool = Pool(Trials(plan.study, plan.settings, plan.space), self._workers)
            sets = signal_sets(plan)
            for made in self._pool.results(MakeSignals(), iter(sets), len(sets), self._cancelled.is_set):
                self._signals.update({key: self._pool.shared(codes) for key, codes in made.items()})
        return self._pool

    def _tell(self, made: "_Pass", permuted: int = 0) -> None:
        done, total = self._done_before + made.scores.done, self.plan.all_trials
        pace = self._pace.per_second
        self._on_progress(
            Progress(
                done=done,
                total=total,
                failed=self._failed_before + made.scores.failed,
                passing=made.number,
                permuted=permuted,
                best=made.scores.best_value,
                per_second=pace,
                seconds_left=(total - done) / pace if pace else None,
            )
        )


class _Pass:
    """All trials over one span: 0 is the whole range, n the walk-forward's window n."""

    def __init__(self, folder: Path, plan: SweepPlan, number: int) -> None:
        self.number = number
        self.parts = store.Parts(folder / "parts" / str(number), plan.space)
        self.scores = Scores(plan.trials, plan.objective)
        self._plan = plan
        self._rounds: list[Round] = []
        keeps = plan.trials if number == 0 else 0
        self._keeps = frozenset(sampled_trials(keeps, plan.seed).tolist())

    def rounds(self) -> Iterator[Round]:
        """The rounds of the plan's method, told the scores of those before."""
        plan = self._plan
        for each in rounds(plan.method, plan.space, plan.trials, plan.seed, self.scores.of):
            self._rounds.append(each)
            yield each

    def missing(self, turn: Round) -> Iterator[Trial]:
        """The trials of a round that are not done."""
        return (
            Trial(number, turn.place_of(number), number in self._keeps)
            for number in turn.numbers
            if not self.scores.is_done[number]
        )

    def count_missing(self, turn: Round) -> int:
        """How many trials of a round are not done."""
        numbers = turn.numbers
        return len(numbers) - int(self.scores.is_done[numbers.start : numbers.stop].sum())

    def place_of(self, number: int) -> int:
        """The place of a trial's combination in the space."""
        return next(each.place_of(number) for each in self._rounds if number in each.numbers)
