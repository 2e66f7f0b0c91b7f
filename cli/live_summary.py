"""What a person is shown before trading with money."""

from decimal import Decimal

from actors.persistence.engine_url import parse_url, shown
from actors.persistence.runs import Run
from cli.going_live import KEYS
from cli.output import plain
from cli.run_plans import absolute_url
from trading.exchange_orders import Account
from trading.settings import RiskSettings, Settings
from trading.symbols import quote_of


def summary(settings: Settings, stored: Run | None, account: Account | None) -> list[str]:
    """What is about to trade, within which limits: one line each."""
    engine, exchange = settings.engine, settings.exchange
    quote, capital = quote_of(engine.symbols[0]), engine.initial_capital_quote
    where = "at the addresses in exchange.options" if "urls" in exchange.options else ""
    held = f"it holds {plain(account.holdings.get(quote, Decimal(0)))} {quote}" if account else "not asked"
    begins = f"run {stored.id} goes on" if stored else "a new run begins"
    rows = [
        ("exchange", f"{exchange.id} {where}".rstrip()),
        ("account", f"that of the key in {KEYS['api_key']}; {held}"),
        ("symbols", f"{', '.join(engine.symbols)}, candles of {engine.timeframe}"),
        ("capital", f"{plain(capital)} {quote}; all else on the account is left alone"),
        *_limits(settings.risk, capital, quote),
        ("database", f"{shown(parse_url(absolute_url(settings.database.url)))}: {begins}"),
    ]
    width = max(len(name) for name, _ in rows) + 2
    return ["Trading with MONEY:", *(f"  {name:<{width}}{text}" for name, text in rows)]


def _limits(risk: RiskSettings, capital: Decimal, quote: str) -> list[tuple[str, str]]:
    def part(percent: Decimal) -> str:
        return f"{plain(percent)} %, {percent * capital / 100:,.2f} {quote}"

    def unless_off(percent: Decimal, text: str) -> str:
        return text if percent else "off"

    least = f"{plain(risk.min_order_notional_quote)} {quote}"
    stop, trailing, target = risk.stop_loss_percent, risk.trailing_stop_percent, risk.take_profit_percent
    fall = risk.max_drawdown_percent
    return [
        ("each position", part(risk.position_size_percent)),
        ("all together", f"{part(risk.max_exposure_percent)}; at most {risk.max_open_positions} positions"),
        ("entries", f"at least {least} each, at most {risk.max_orders_per_minute} a minute"),
        ("stop", unless_off(stop, f"{plain(stop)} % under the entry")),
        ("trailing stop", unless_off(trailing, f"{plain(trailing)} % under the highest close")),
        ("target", unless_off(target, f"{plain(target)} % over the entry")),
        ("loss of a day", f"{part(risk.daily_loss_limit_percent)}: no more entries that day (UTC)"),
        ("kill switch", f"{part(risk.kill_switch_percent)} lost: everything is sold, nothing bought"),
        ("drawdown", unless_off(fall, f"{part(fall)} under the peak: as the kill switch")),
    ]
