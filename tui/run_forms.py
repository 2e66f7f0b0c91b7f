"""What is asked to start a backtest or a sweep, and the request that comes of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from autotrader.v1 import common_pb2, run_pb2
from tui.dialogs.form import Field
from tui.settings import BadSettings, parse_settings
from tui.text import visible

METHODS = {
    "grid": run_pb2.SWEEP_METHOD_GRID,
    "random": run_pb2.SWEEP_METHOD_RANDOM,
    "bayes": run_pb2.SWEEP_METHOD_BAYES,
}


class BadRun(ValueError):
    """What was typed makes no run; one sentence says why."""


def _common(files: Sequence[run_pb2.CandleFile]) -> list[Field]:
    first = files[0]
    return [
        Field(
            "data", "Candles: SYMBOL=FILE, several by spaces", f"{first.symbol or 'BTC/USDT'}={first.name}"
        ),
        Field("start", "From (UTC), empty for the beginning", hint="2024-01-01", optional=True),
        Field("end", "To (UTC), not included, empty for the end", hint="2025-01-01", optional=True),
    ]


def backtest_fields(files: Sequence[run_pb2.CandleFile]) -> list[Field]:
    """What is asked for a backtest."""
    settings = "Settings that differ"
    return [
        *_common(files),
        Field("settings", settings, hint="cross.fast=10 risk.stop_loss_percent=3", optional=True),
    ]


def sweep_fields(files: Sequence[run_pb2.CandleFile]) -> list[Field]:
    """What is asked for a sweep."""
    return [
        *_common(files),
        Field(
            "settings", "What to try: 5:50:5, a,b,c, or lo..hi", hint="cross.fast=5:50:5 cross.slow=20:200:20"
        ),
        Field("method", "Method", "grid", [(name, name) for name in METHODS]),
        Field("trials", "Trials, empty for the whole grid or 100", optional=True),
        Field("objective", "Rank by", "sharpe"),
        Field("walk_forward", "Windows of a walk-forward, empty for none", optional=True),
    ]


def backtest_request(
    answers: dict[str, str], files: Sequence[run_pb2.CandleFile], request_id: str
) -> run_pb2.StartBacktestRequest:
    """The request for a backtest. Raises BadRun."""
    return run_pb2.StartBacktestRequest(
        request_id=request_id,
        data=_data(answers["data"], files),
        range=_range(answers),
        settings=_settings(answers["settings"]),
    )


def sweep_request(
    answers: dict[str, str], files: Sequence[run_pb2.CandleFile], request_id: str
) -> run_pb2.StartSweepRequest:
    """The request for a sweep. Raises BadRun."""
    return run_pb2.StartSweepRequest(
        request_id=request_id,
        data=_data(answers["data"], files),
        range=_range(answers),
        settings=_settings(answers["settings"]),
        method=METHODS[answers["method"]],
        trials=_whole(answers["trials"], "trials"),
        objective=answers["objective"],
        walk_forward=_whole(answers["walk_forward"], "walk-forward"),
    )


def _data(words: str, files: Sequence[run_pb2.CandleFile]) -> list[run_pb2.SymbolFile]:
    names = {file.name for file in files}
    found = []
    for part in words.split():
        symbol, _, file = part.partition("=")
        if file not in names:
            known = ", ".join(visible(name) for name in sorted(names))
            raise BadRun(f"candles: {part!r} is not SYMBOL=FILE with one of the files {known}")
        found.append(run_pb2.SymbolFile(symbol=symbol, file=file))
    return found


def _settings(words: str) -> list[run_pb2.SettingChange]:
    try:
        return [run_pb2.SettingChange(key=key, value=value) for key, value in parse_settings(words)]
    except BadSettings as error:
        raise BadRun(str(error)) from None


def _range(answers: dict[str, str]) -> common_pb2.TimeRange:
    return common_pb2.TimeRange(start=_time(answers["start"], "from"), end=_time(answers["end"], "to"))


def _time(words: str, name: str) -> Timestamp | None:
    if not words:
        return None
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise BadRun(f"{name}: {words!r} is not a date such as 2024-01-31 or 2024-01-31T12:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Timestamp(seconds=int(moment.timestamp()))


def _whole(words: str, name: str) -> int:
    if words and not (words.isascii() and words.isdigit() and len(words) < 7):
        raise BadRun(f"{name}: {words!r} is not a whole number")
    return int(words or 0)
