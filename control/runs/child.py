"""One run in a process of its own: `python -m control.runs.child FOLDER`.

Its order comes on stdin as one line, what it tells goes to stdout, its result files into the folder. It ends
when it is told to (SIGTERM), and when stdin does: then nobody waits for it any more.
"""

import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from control.runs.messages import (
    Cancelled,
    Done,
    Ended,
    Failed,
    Order,
    Progress,
    SweepOrder,
    Told,
    in_fields,
    line_of,
    order_in,
)
from trading.errors import AutotraderError

if TYPE_CHECKING:
    from backtest.results import RunResult
    from backtest.sweep.plan import SweepPlan
    from backtest.sweep.progress import Progress as SweepProgress
    from backtest.sweep.sweep import Sweep
    from trading.history import History
    from trading.settings import Settings

NICENESS = 10
# When memory runs out, a run ends before the engine does.
OOM_SCORE = b"700"
TELL_SECONDS = 0.2
ORPHAN_SECONDS = 5.0
MOST_EQUITY = 200
# From and to which percent the phases of a backtest go.
_PHASES = {"signals": (5.0, 60.0), "trading": (60.0, 90.0)}
Tell = Callable[[Told], None]


class _Stopped(BaseException):
    """SIGTERM came."""


def main() -> None:
    """Make one run, and tell how it ended."""
    tell = _teller()
    _step_back()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGTERM, _stop)
    ended: Ended
    try:
        with open(0, "rb", buffering=0, closefd=False) as stdin:
            order = order_in(stdin.readline())
        threading.Thread(target=_end_with_parent, daemon=True).start()
        ended = _made(order, Path(sys.argv[1]), tell)
    except _Stopped:
        ended = Cancelled()
    except AutotraderError as error:
        ended = Failed(in_fields(str(error)))
    except Exception as error:
        traceback.print_exc()
        ended = Failed(f"an unexpected error: {type(error).__name__}: {error}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell(ended)


def _teller() -> Tell:
    """Writes lines to stdout, which nobody else gets: a strategy that prints is not heard."""
    lines = os.fdopen(os.dup(1), "wb", buffering=0)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)

    def tell(message: Told) -> None:
        with suppress(BrokenPipeError):
            lines.write(line_of(message))

    return tell


def _step_back() -> None:
    """Trading comes first: for the processors, and when memory runs out."""
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(OOM_SCORE)


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise _Stopped


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _made(order: Order, out: Path, tell: Tell) -> Ended:
    from trading.history import load_histories
    from trading.settings import parse_settings

    settings = parse_settings(order.settings)
    tell(Progress(0, "reading candles"))
    files = [(symbol, Path(name)) for symbol, name in order.files]
    histories = load_histories(files, settings.market)
    if order.sweep is None:
        return _backtest(settings, histories, order, out, tell)
    return _sweep(settings, histories, order, order.sweep, out, tell)


def _backtest(settings: "Settings", histories: "list[History]", order: Order, out: Path, tell: Tell) -> Done:
    from backtest.files import effective_settings, write_run
    from backtest.results import run_result
    from backtest.run import chosen_engine, run_backtest
    from backtest.simulation import simulation_of
    from trading.date_range import select_range

    chosen = select_range(histories, order.from_ms, order.to_ms)
    simulation = simulation_of(settings, chosen.histories, chosen.first_open_ms)
    records = run_backtest(simulation, chosen_engine(None, simulation), _backtest_progress(tell))
    files = [(symbol, Path(name)) for symbol, name in order.files]
    rules = simulation.rules
    result = run_result(rules, records, effective_settings(settings, files, rules.timeframe_ms))
    tell(Progress(_PHASES["trading"][1], "writing the results"))
    write_run(result, chosen.histories, files, out)
    return _done(result)


def _backtest_progress(tell: Tell) -> Callable[[str, int, int], None]:
    told_at = -math.inf
    percent = 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal told_at, percent
        if what in _PHASES and total:
            low, high = _PHASES[what]
            percent = low + (high - low) * done / total
        if time.monotonic() - told_at >= TELL_SECONDS:
            told_at = time.monotonic()
            tell(Progress(percent, f"{what}: {done:,} of {total:,}"))

    return progress


def _sweep(
    settings: "Settings",
    histories: "list[History]",
    order: Order,
    asked: SweepOrder,
    out: Path,
    tell: Tell,
) -> Ended:
    from actors import spawn
    from backtest.sweep.plan import make_plan
    from backtest.sweep.signals import shared_bytes
    from backtest.sweep.sweep import Sweep, SweepCancelled
    from trading.settings_file import settings_file

    plan = make_plan(
        settings,
        asked.specs,
        histories,
        from_ms=order.from_ms,
        to_ms=order.to_ms,
        method=asked.method,
        trials=asked.trials,
        objective=asked.objective,
        walk_forward=asked.walk_forward,
    )
    tell(Progress(0, "starting the workers"))
    try:
        spawn.start_ray(object_store_bytes=spawn.OBJECT_STORE_BYTES + shared_bytes(plan))
        sweep = Sweep(
            plan,
            out=out,
            workers=asked.workers,
            on_progress=_sweep_progress(plan, tell),
            to_toml=settings_file,
        )
        with _cancelled_by_sigterm(sweep):
            result = sweep.run()
    except SweepCancelled:
        return Cancelled()
    finally:
        spawn.stop_ray()
    best, luck = result.summary["best"], result.summary["luck"]
    if best is None or result.best_run is None:
        return Done({}, [])
    values = {key: _as_typed(value) for key, value in best["params"].items()}
    return _done(result.best_run, values, luck["sentence"] if luck else "")


@contextmanager
def _cancelled_by_sigterm(sweep: "Sweep") -> Iterator[None]:
    """Workers end in order."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sweep.cancel())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, _stop)


def _sweep_progress(plan: "SweepPlan", tell: Tell) -> "Callable[[SweepProgress], None]":
    from backtest.sweep.progress import in_words

    told_at = -math.inf

    def progress(made: "SweepProgress") -> None:
        nonlocal told_at
        if time.monotonic() - told_at < TELL_SECONDS:
            return
        told_at = time.monotonic()
        words = [f"{made.done:,} of {made.total:,} trials", in_words(made, plan.objective.name)]
        if made.passing:
            words.insert(0, f"window {made.passing} of {len(plan.windows)}")
        tell(Progress(99 * made.done / made.total, "  ".join(filter(None, words))))

    return progress


def _done(result: "RunResult", best: Mapping[str, str] | None = None, verdict: str = "") -> Done:
    import numpy as np

    summary = result.summary()
    figures = {name: float(value) for name, value in summary.items() if _is_figure(value)}
    equity = result.records.equity
    places = np.linspace(0, len(equity) - 1, min(len(equity), MOST_EQUITY)).round().astype(int)
    return Done(figures, [float(result.money(int(equity[row]))) for row in places], dict(best or {}), verdict)


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and math.isfinite(value)


def _as_typed(value: Any) -> str:
    """A setting's value as a user types it."""
    from trading.settings_file import toml_value

    return value if isinstance(value, str) else toml_value(value)


if __name__ == "__main__":
    main()
