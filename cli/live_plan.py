"""The plan of trading with money: what is checked, and what a person agrees to, before anything is begun."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from actors.persistence.runs import Mode, Run
from cli.exchange_plans import exchange_plan, stored_run
from cli.exchange_questions import ANSWER_SECONDS, SHORT_SECONDS, Checked, account_of, markets_of
from cli.going_live import confirm
from cli.live_summary import summary
from cli.output import plain, printable
from cli.run_plans import Planned
from trading.client_ids import is_foreign
from trading.errors import InputError, OperationError
from trading.exchange_orders import Account
from trading.settings import Settings
from trading.signals import Side
from trading.symbols import quote_of

if TYPE_CHECKING:
    from actors.execution.ccxt_account import KeyRights


def live_plan(settings: Settings, out: Path | None, yes_live: bool) -> Planned:
    """The plan of trading with money, once everything was checked and a person has said so.

    Raises InputError for keys, an account or an answer that will not do. At a later start the books decide:
    an exchange that does not answer then is no reason to leave positions alone.
    """
    stored = stored_run(settings, Mode.LIVE)
    found = None if stored else markets_of(settings)
    checked = _checked(settings, stored)
    if checked is not None:
        for warning in faults_and_warnings(settings, stored, checked):
            _say(f"WARNING: {warning}")
    for line in summary(settings, stored, checked.account if checked else None):
        _say(line)
    if not yes_live:
        confirm()
    return exchange_plan(settings, out, Mode.LIVE, stored, found)


def _checked(settings: Settings, stored: Run | None) -> Checked | None:
    try:
        return account_of(settings, SHORT_SECONDS if stored else ANSWER_SECONDS)
    except OperationError as error:
        if stored is None:
            raise
        _say(f"WARNING: nothing could be checked: {error}; the engine goes on with what is stored")
        return None


def faults_and_warnings(settings: Settings, stored: Run | None, checked: Checked) -> list[str]:
    """What a person should be warned of. Raises InputError for what makes trading impossible."""
    warnings = _of_rights(checked.rights)
    _refuse_second_engine(checked.account, stored)
    if stored is None:
        _require_capital(settings, checked.account)
    return warnings


def _of_rights(rights: "KeyRights") -> list[str]:
    if rights.can_trade is False:
        raise InputError(
            "exchange.api_key: the exchange says that this key may not trade; give it the right to trade spot"
        )
    warnings = []
    if rights.can_trade is None:
        warnings.append("the exchange does not say what this key may do: make sure that it cannot withdraw")
    if rights.can_withdraw:
        warnings.append(
            "THIS KEY CAN WITHDRAW EVERYTHING from the account: whoever gets hold of it has the money. "
            "Take that right from it at the exchange"
        )
    if rights.ip_restricted is False:
        warnings.append("this key works from any address: allow it this machine's alone")
    return warnings


def _refuse_second_engine(account: Account, stored: Run | None) -> None:
    own = stored.engine_id if stored else ""
    foreign = [each for each in account.open_orders if is_foreign(each.client_id, own)]
    if foreign:
        names = ", ".join(f"{each.client_id} ({each.symbol})" for each in foreign)
        raise InputError(
            f"exchange: another engine has orders open on this account: {names}; only one may trade. "
            "End that one, or cancel its orders at the exchange"
        )


def _require_capital(settings: Settings, account: Account) -> None:
    wanted, quote = settings.engine.initial_capital_quote, quote_of(settings.engine.symbols[0])
    free = account.holdings.get(quote, Decimal(0)) - _reserved(account)
    if free < wanted:
        raise InputError(
            f"engine.initial_capital_quote: {plain(wanted)} {quote} are wanted, but the account has "
            f"{plain(free)} {quote} free; give at most that"
        )


def _reserved(account: Account) -> Decimal:
    """What open buys hold of the quote currency."""
    buys = [each for each in account.open_orders if each.side is Side.BUY]
    return sum(((each.amount - each.filled) * (each.limit or 0) for each in buys), Decimal(0))


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
