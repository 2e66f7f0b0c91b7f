"""What `autotrader run` starts: a plan of actors and the stored run that they work on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from actors.market_data.feed import FeedSpec, ReplayFeed, SimulatedFeed
from actors.persistence.engine_url import NoDatabaseYet, is_sqlite, parse_url, sqlite_file
from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, Run, RunSetup, Status, ways_out
from actors.persistence.store import Store
from actors.plan import Companion, Plan
from actors.strategy_spec import StrategySpec, spec_of
from backtest.files import effective_settings
from cli.clock import now_ms
from cli.config import LoadedSettings
from cli.inputs import symbol_files
from trading import __version__
from trading.candle_files import is_simulated
from trading.date_range import select_range
from trading.errors import InputError, StorageError
from trading.events import RunStarted
from trading.exact_settings import rules_of
from trading.grid import CandleGrid
from trading.history import load_histories
from trading.setting_types import without_password
from trading.settings import Settings
from trading.simulated_market import SimulatedMarket
from trading.strategies.registry import made_strategies
from trading.timeframe import timeframe_ms

WEB_FOLDER = Path(__file__).resolve().parent.parent / "mobile" / "dist"
# The numbers of the contract's TradingMode, which is not loaded for them.
_MODES = {"simulated": 1, "paper": 2, "live": 3, "replay": 4}


@dataclass(frozen=True)
class Planned:
    """A plan whose run is stored: what to start, where its results go, and what to call it."""

    plan: Plan
    run: Run
    title: str
    out: Path | None
    settings: dict[str, Any]
    simulated: bool


def with_control(planned: Planned, loaded: LoadedSettings, changed: Mapping[str, str]) -> Planned:
    """The same with a control plane beside it; `changed` are the settings changed at run time, as JSON.

    Raises InputError when it may not or cannot listen where the settings say.
    """
    from control.actor import Control
    from control.listening import listening_of
    from control.spec import CONTROL, ControlSpec

    settings, run = loaded.settings, planned.run
    folder = loaded.file.resolve().parent if loaded.file else Path.cwd()
    spec = ControlSpec(
        listening=listening_of(settings.control),
        database_url=planned.plan.database_url,
        run_id=run.id,
        mode=_MODES["simulated" if planned.simulated and run.mode is Mode.PAPER else run.mode.value],
        feed=run.source,
        version=__version__,
        settings=without_secrets(settings),
        changed=dict(changed),
        runs_folder=str(folder / "runs"),
        candles_folder=str(folder / "candles"),
        web_folder=str(WEB_FOLDER) if WEB_FOLDER.is_dir() else "",
    )
    companion = Companion(CONTROL, Control, (spec,))
    plan = msgspec.structs.replace(planned.plan, companions=(companion,))
    return replace(planned, plan=plan)


def without_secrets(settings: Settings) -> Settings:
    """The settings without keys and passwords."""
    exchange = settings.exchange.model_copy(update={"api_key": None, "api_secret": None})
    database = settings.database.model_copy(update={"url": without_password(settings.database.url)})
    return settings.model_copy(update={"exchange": exchange, "database": database})


def paper_plan(settings: Settings, out: Path | None) -> Planned:
    """Paper trading on the simulated market."""
    from actors.market_data.simulated import ANCHOR_MS, HISTORY_CANDLES

    strategies = made_strategies(settings)
    length_ms = timeframe_ms(settings.engine.timeframe)
    sections = settings.market
    simulated = [
        SimulatedMarket(
            symbol, settings.feed.seed, length_ms, sections[symbol].tick if symbol in sections else None
        )
        for symbol in settings.engine.symbols
    ]
    markets = [settings.market_rules(market.symbol, market.price_step) for market in simulated]
    rules = rules_of(settings, markets, strategies, length_ms)
    first_open_ms = ANCHOR_MS + HISTORY_CANDLES * length_ms
    source = SimulatedFeed(
        settings.feed.seed, tuple((market.symbol, market.tick) for market in markets), length_ms
    )
    feed = FeedSpec(source, first_open_ms - length_ms, float(settings.feed.candles_per_second))
    url = absolute_url(settings.database.url)
    setup = RunSetup(
        Mode.PAPER, settings_json(settings), f"simulated, seed {settings.feed.seed}", simulated=True
    )
    run = begin(url, setup, RunStarted(rules, ANCHOR_MS, first_open_ms))
    plan = Plan(url, feed, rules, ANCHOR_MS, strategy_specs(settings))
    title = f"SIMULATED market, paper money: {', '.join(settings.engine.symbols)}"
    return Planned(plan, run, title, out, json.loads(setup.settings), simulated=True)


def replay_plan(
    settings: Settings, replay: Sequence[str], out: Path, candles_per_second: float | None, force: bool
) -> Planned:
    """A replay of files, in a database of its own in `out` (or the PostgreSQL of the settings)."""
    strategies = made_strategies(settings)
    files = symbol_files(replay, "--replay")
    histories = load_histories(files, settings.market)
    chosen = select_range(histories)
    markets = [history.market for history in chosen.histories]
    rules = rules_of(settings, markets, strategies, histories[0].timeframe_ms)
    grid = CandleGrid(chosen.histories)
    shown = effective_settings(settings, files, rules.timeframe_ms)
    ticks = tuple(
        (symbol, str(path.resolve()), market.tick)
        for (symbol, path), market in zip(files, markets, strict=True)
    )
    feed = FeedSpec(ReplayFeed(ticks), grid.first_ms - rules.timeframe_ms, candles_per_second)
    setup = RunSetup(
        Mode.REPLAY,
        json.dumps(shown | {"sha256": _digests(files)}, default=str),
        f"replay into {out.resolve()}",
    )
    url = _replay_url(settings.database.url, out)
    run = _begin_replay(url, out, setup, RunStarted(rules, grid.first_ms, grid.first_ms), force)
    plan = Plan(url, feed, rules, grid.first_ms, strategy_specs(settings))
    title = f"replay of {', '.join(symbol for symbol, _ in files)}"
    simulated = any(is_simulated(path) for _, path in files)
    return Planned(plan, run, title, out, shown, simulated)


def absolute_url(url: str) -> str:
    """The database URL with the full path of a SQLite file: actors may have another folder."""
    parsed = parse_url(url)
    if not is_sqlite(parsed):
        return url
    return f"sqlite:///{sqlite_file(parsed)}"


def settings_json(settings: Settings) -> str:
    """The settings as stored with a run; without secrets."""
    return json.dumps(settings.model_dump(mode="json", exclude={"exchange", "control", "database"}))


def strategy_specs(settings: Settings) -> tuple[StrategySpec, ...]:
    """What the strategies' actors are made from."""
    return tuple(map(spec_of, settings.strategies))


def begin(url: str, setup: RunSetup, started: RunStarted) -> Run:
    """The stored run that goes on, or a new one. Raises StorageError for one on other candles."""
    store = Store.open(url, now_ms)
    try:
        run = store.begin(setup, started)
    finally:
        store.close()
    require_source(run, setup.source)
    return run


def require_source(run: Run, source: str) -> None:
    """Raise StorageError when the stored run has its candles from elsewhere."""
    if run.source != source:
        raise StorageError(
            f"feed: the account in this database trades {run.source!r}, the settings say {source!r}; "
            + ways_out(run)
        )


def _begin_replay(url: str, out: Path, setup: RunSetup, started: RunStarted, force: bool) -> Run:
    """The unfinished replay of this folder if it is the same one, else a new one."""
    out.mkdir(parents=True, exist_ok=True)
    earlier = _newest_run(url, setup.source)
    if earlier is not None and not force:
        if earlier.status is Status.FINISHED:
            raise InputError(f"--out: {out} holds a finished replay; --force begins it anew")
        if earlier.status is Status.ACTIVE and json.loads(earlier.settings) != json.loads(setup.settings):
            raise InputError(
                f"--out: {out} holds an unfinished replay of other files or settings; --force begins anew"
            )
    if force and earlier is not None:
        store = Store.open(url, now_ms)
        try:
            store.archive(earlier.id)
        finally:
            store.close()
    return begin(url, setup, started)


def _newest_run(url: str, source: str) -> Run | None:
    """The newest run of this source that is not archived."""
    try:
        reader = Reader.open(url)
    except NoDatabaseYet:
        return None
    try:
        runs = [run for run in reader.runs() if run.source == source and run.status is not Status.ARCHIVED]
    finally:
        reader.close()
    return runs[-1] if runs else None


def _replay_url(url: str, out: Path) -> str:
    return f"sqlite:///{(out / 'run.db').resolve()}" if is_sqlite(parse_url(url)) else url


def _digests(files: Sequence[tuple[str, Path]]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for _, path in files]
