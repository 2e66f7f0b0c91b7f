"""What a run is asked to do, checked before it is queued: every fault names its field."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autotrader.v1 import run_pb2
from backtest.sweep.choices import checked_space, method_named, trial_count
from backtest.sweep.objective import DEFAULT_OBJECTIVE, objective_named
from backtest.sweep.specs import is_spec, refuse_what_cannot_vary, space_of, tree_of
from control.arguments import count_of, span_of
from control.faults import Fault, invalid, not_found
from control.runs.messages import Order, SweepOrder, in_fields
from trading.errors import InputError
from trading.setting_keys import Path as SettingPath
from trading.setting_keys import find_path, parse_text, put
from trading.settings import Settings, parse_settings
from trading.strategies.registry import made_strategies
from trading.symbols import fault_in_symbols, is_symbol, names_market

MOST_SYMBOLS = 50
MOST_CHANGES = 100
MOST_TRIALS = 100_000
MOST_WINDOWS = 100
MOST_TRIALS_OF_ALL_WINDOWS = 1_000_000
# What a run's process gets: no section that can hold an address or a secret.
SECTIONS = ("engine", "feed", "costs", "vote", "market", "risk", "strategies")
METHODS = {
    run_pb2.SWEEP_METHOD_UNSPECIFIED: "grid",
    run_pb2.SWEEP_METHOD_GRID: "grid",
    run_pb2.SWEEP_METHOD_RANDOM: "random",
    run_pb2.SWEEP_METHOD_BAYES: "bayes",
}
_OPTION = re.compile(r"--([a-z-]+):? (.*)", re.DOTALL)

Files = Mapping[str, run_pb2.CandleFile]
Changes = Sequence[run_pb2.SettingChange]
_Indexed = list[tuple[int, run_pb2.SettingChange]]


def backtest_order(request: run_pb2.StartBacktestRequest, settings: Settings, files: Files) -> Order:
    """The backtest that is asked for, under these settings, on some of these files. Raises Fault."""
    data = _data(request.data, files)
    span = span_of(request.range)
    changed = _changed(settings, list(enumerate(_not_too_many(request.settings))))
    try:
        made_strategies(changed)
    except InputError as error:
        raise invalid("settings", str(error)) from None
    return Order(_tree(changed), data, span.start_ms, span.end_ms)


def sweep_order(request: run_pb2.StartSweepRequest, settings: Settings, files: Files) -> Order:
    """The sweep that is asked for, under these settings, on some of these files. Raises Fault."""
    data = _data(request.data, files)
    span = span_of(request.range)
    fixed, swept = _split(_not_too_many(request.settings))
    changed = _changed(settings, fixed)
    for index, each in swept:
        _refuse_spec(index, each, changed)
    sweep = SweepOrder(
        specs=tuple((each.key, each.value) for _, each in swept),
        method=METHODS[request.method],
        trials=count_of("trials", request.trials, 1, MOST_TRIALS, 0) or None,
        objective=request.objective or DEFAULT_OBJECTIVE,
        walk_forward=count_of("walk_forward", request.walk_forward, 1, MOST_WINDOWS, 0),
        workers=count_of("workers", request.workers, 1, os.cpu_count() or 1, 1),
    )
    try:
        _refuse_sweep(sweep, changed)
    except InputError as error:
        raise _fault_of_option(error) from None
    return Order(_tree(changed), data, span.start_ms, span.end_ms, sweep)


def _data(data: Sequence[run_pb2.SymbolFile], files: Files) -> tuple[tuple[str, str], ...]:
    if not 1 <= len(data) <= MOST_SYMBOLS:
        raise invalid("data", f"has {len(data)} symbols; 1 to {MOST_SYMBOLS} are allowed")
    for index, each in enumerate(data):
        _refuse_file(f"data[{index}]", each, files)
    fault = fault_in_symbols(each.symbol for each in data)
    if fault:
        raise invalid("data", fault)
    first = files[data[0].file]
    for index, each in enumerate(data):
        if files[each.file].timeframe != first.timeframe:
            raise invalid(
                f"data[{index}].file",
                f"its timeframe is {files[each.file].timeframe}, that of {first.name} {first.timeframe}; "
                "one run has one timeframe",
            )
    return tuple((each.symbol, each.file) for each in data)


def _refuse_file(field: str, given: run_pb2.SymbolFile, files: Files) -> None:
    if not is_symbol(given.symbol):
        raise invalid(
            f"{field}.symbol", f"{given.symbol!r} is not BASE/QUOTE in capitals and digits, such as BTC/USDT"
        )
    file = files.get(given.file)
    if file is None:
        raise not_found(
            f"{field}.file", f"there is no candle file {given.file!r}; ListCandleFiles has their names"
        )
    if file.symbol and not names_market(file.symbol, given.symbol):
        raise invalid(f"{field}.symbol", f"{file.name} holds candles of {file.symbol}, not of {given.symbol}")


def _not_too_many(changes: Changes) -> Changes:
    if len(changes) > MOST_CHANGES:
        raise invalid("settings", f"has {len(changes)} changes; at most {MOST_CHANGES} are allowed")
    seen = set()
    for index, each in enumerate(changes):
        if each.key in seen:
            raise invalid(f"settings[{index}].key", f"{each.key} is there twice")
        seen.add(each.key)
    return changes


def _split(changes: Changes) -> tuple[_Indexed, _Indexed]:
    """Those with one value for all trials, and those with several, each with its index."""
    indexed = list(enumerate(changes))
    swept = [pair for pair in indexed if is_spec(pair[1].value)]
    return [pair for pair in indexed if pair not in swept], swept


def _changed(settings: Settings, changes: _Indexed) -> Settings:
    """The settings with other values; the present ones stay as they are."""
    for index, each in changes:
        tree = tree_of(settings)
        try:
            path = find_path(each.key, tree)
            _refuse_what_changes_no_run(path)
        except InputError as error:
            raise invalid(f"settings[{index}].key", str(error)) from None
        try:
            put(tree, path, parse_text(each.value, path))
            settings = parse_settings(tree)
        except InputError as error:
            raise invalid(f"settings[{index}]", str(error)) from None
    return settings


def _refuse_what_changes_no_run(path: SettingPath) -> None:
    """Above all a strategy's type and path: they name code."""
    if not (path[0] == "market" and len(path) == 3):
        refuse_what_cannot_vary(path)


def _refuse_spec(index: int, change: run_pb2.SettingChange, settings: Settings) -> None:
    try:
        space_of([(change.key, change.value)], settings)
    except InputError as error:
        sentence = in_fields(str(error).removeprefix(f"--set {change.key}={change.value}: "))
        raise invalid(f"settings[{index}]", sentence) from None


def _refuse_sweep(sweep: SweepOrder, settings: Settings) -> None:
    """Raises InputError, its sentence beginning with the option of the command, or Fault."""
    objective_named(sweep.objective)
    space = checked_space(sweep.specs, settings)
    trials = trial_count(method_named(sweep.method), space, sweep.trials)
    if trials > MOST_TRIALS:
        raise invalid("settings", f"these are {trials:,} trials; at most {MOST_TRIALS:,} are allowed")
    if trials * (1 + sweep.walk_forward) > MOST_TRIALS_OF_ALL_WINDOWS:
        raise invalid(
            "walk_forward",
            f"{trials:,} trials over {sweep.walk_forward} windows and the whole are too many; at most "
            f"{MOST_TRIALS_OF_ALL_WINDOWS:,} are allowed",
        )


def _fault_of_option(error: InputError) -> Fault:
    found = _OPTION.fullmatch(str(error))
    if found is None:
        return invalid("settings", in_fields(str(error)))
    return invalid(in_fields(f"--{found[1]}"), in_fields(found[2]))


def _tree(settings: Settings) -> dict[str, object]:
    """The settings as a run's process reads them; strategy files by their full path."""
    tree = {name: value for name, value in tree_of(settings).items() if name in SECTIONS}
    for each in tree["strategies"]:
        if "path" in each:
            each["path"] = str(Path(each["path"]).absolute())
    return tree
