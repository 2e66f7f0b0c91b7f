"""What `doctor` says of the exchange: whether it answers, its clock, and what our key may do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.exchange_questions import account_of, markets_of
from trading.errors import AutotraderError
from trading.settings import Settings

if TYPE_CHECKING:
    from actors.execution.ccxt_account import KeyRights

# Name of the check, whether it passed, and what was found.
Finding = tuple[str, bool, str]

FAR_APART_MS = 1_000


def findings(settings: Settings) -> Iterator[Finding]:
    """Ask the exchange of the settings; its keys are used where there are some, and shown nowhere."""
    exchange, symbols = settings.exchange, ", ".join(settings.engine.symbols)
    try:
        markets = markets_of(settings)
    except AutotraderError as error:
        yield ("exchange", False, str(error))
        return
    halted = [each.symbol for each in markets.filters if not each.trading]
    stopped = f"; takes no orders for {', '.join(halted)}" if halted else ""
    yield ("exchange", not halted, f"{exchange.id} answers and has {symbols}{stopped}")
    yield _clock(markets.ahead_ms)
    if exchange.api_key is not None and exchange.api_secret is not None:
        yield _key(settings)


def _clock(ahead_ms: int) -> Finding:
    """The engine goes by the exchange's clock: a difference is told, and harms nothing."""
    side = "ahead of" if ahead_ms >= 0 else "behind"
    far = "" if abs(ahead_ms) < FAR_APART_MS else "; the engine goes by the exchange's"
    return ("exchange clock", True, f"{abs(ahead_ms) / 1000:.1f} s {side} this machine's{far}")


def _key(settings: Settings) -> Finding:
    try:
        rights = account_of(settings).rights
    except AutotraderError as error:
        return ("exchange key", False, str(error))
    return ("exchange key", rights.can_trade is not False and not rights.can_withdraw, words(rights))


def words(rights: "KeyRights") -> str:
    """What a key may do."""
    said = {True: "yes", False: "no", None: "not told"}
    return (
        f"may trade: {said[rights.can_trade]}; may withdraw: {said[rights.can_withdraw]}"
        f"{' (take that right from it)' if rights.can_withdraw else ''}; "
        f"bound to addresses: {said[rights.ip_restricted]}"
    )
