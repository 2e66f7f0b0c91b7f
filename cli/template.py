"""The .env.example that `init` writes."""

ENV_EXAMPLE = """\
# Copy this to .env and run: chmod 600 .env
# Secrets come from here or from the environment, never from autotrader.toml.
# The keys are for trading with money alone (engine.mode = "live" and `autotrader run --live`):
# give them the right to trade, none to withdraw, and allow only this machine's address.
# Money has a database of its own, autotrader-live.db unless you name another.
AUTOTRADER__EXCHANGE__API_KEY=
AUTOTRADER__EXCHANGE__API_SECRET=

# Any setting can stand here, for example:
# AUTOTRADER__RISK__STOP_LOSS_PERCENT=3
# AUTOTRADER__DATABASE__URL=postgresql://user:password@localhost/autotrader
"""
