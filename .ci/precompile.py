"""Import once what the commands import, so that Python keeps it compiled: each start is seconds quicker.

Only what is used is compiled: far less than all that is installed. Run by `make setup`.
"""

import sys
from importlib import import_module

MODULES = (
    "cli.run", "cli.run_plans", "cli.live_view", "cli.backtest", "cli.sweep", "cli.sweep_view", "cli.data",
    "cli.config", "cli.summary", "cli.output", "rich.progress", "rich.table", "rich.live",
    "backtest.fast.run", "backtest.reference", "backtest.report.run", "backtest.report.sweep",
    "backtest.sweep.sweep", "backtest.trial", "optuna",
    "actors.launch", "actors.supervisor", "actors.risk", "actors.strategy", "actors.market_data.feed",
    "actors.execution.paper", "control.server", "control.runs.child", "cli.engine_command", "cli.status",
    "tui.app", "actors.persistence.actor", "actors.persistence.migrations",
    "trading.strategies.technical", "trading.strategies.trend", "trading.strategies.sma_cross",
    "ray", "ray.actor", "ray._private.workers.default_worker", "ray._private.runtime_env.agent.main",
)  # fmt: skip

sys.dont_write_bytecode = False
for name in MODULES:
    try:
        import_module(name)
    except (ImportError, SystemExit) as error:
        print(f"not compiled ahead: {name} ({error})", file=sys.stderr)
