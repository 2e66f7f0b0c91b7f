"""The command `autotrader`: finds the subcommand, runs it, and turns what went wrong into an exit code.

0 done, 1 failed, 2 bad input, 130 interrupted. Only the module of the subcommand is imported.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from trading.errors import AutotraderError, InputError, suggestion

if TYPE_CHECKING:
    from typer import Typer

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

# By heading; name: the module whose `command` it is (or MODULE:NAME), and its line in the help.
SECTIONS = {
    "Commands": {
        "init": ("cli.init", "Write a commented autotrader.toml and .env.example."),
        "run": ("cli.run", "Run the engine: paper, with money, or a replay of stored candles."),
        "backtest": ("cli.backtest", "Simulate the strategies on stored candles."),
        "sweep": ("cli.sweep", "Simulate many settings on Ray, and rank them."),
        "data": ("cli.data", "Candle files: download, import, verify, list, sample."),
        "strategies": ("cli.strategies", "List the strategies and their types; change them live."),
        "config": ("cli.config_command", "Show, set and reset settings."),
        "paper": ("cli.paper", "The paper account: archive it and start anew."),
        "db": ("cli.db", "The database: upgrade and check."),
        "tls": ("cli.tls", "Certificates for development."),
        "doctor": ("cli.doctor", "Check this installation."),
    },
    "On a running engine": {
        "console": ("cli.console", "The operator's console."),
        "status": ("cli.status", "How it stands, in one look."),
        "positions": ("cli.portfolio:positions", "What is held."),
        "orders": ("cli.portfolio:orders", "What was ordered."),
        "trades": ("cli.portfolio:trades", "What was earned."),
        "decisions": ("cli.decisions:decisions", "Every vote's outcome and what came of it."),
        "why": ("cli.decisions:why", "One decision: votes, reasons, risk, order, fills."),
        "logs": ("cli.logs", "What an operator should know."),
        "limits": ("cli.limits", "The risk limits: how much is used; change them."),
        "pause": ("cli.switches:pause", "Take no entries; exits and stops go on."),
        "resume": ("cli.switches:resume", "Take entries again."),
        "close": ("cli.switches:close", "Sell one position."),
        "close-all": ("cli.switches:close_all", "Sell every position; entries go on."),
        "kill": ("cli.kill:kill", "Throw the kill switch: sell everything, stop trading."),
        "reset-kill": ("cli.kill:reset_kill", "Lift the kill switch."),
        "stop": ("cli.stop", "End the engine."),
        "user": ("cli.user", "Accounts: who may sign in, and as what."),
        "token": ("cli.token", "An access token for another program."),
        "audit": ("cli.audit", "Who did what; is the trail whole?"),
    },
}
COMMANDS = {name: line for section in SECTIONS.values() for name, line in section.items()}


def main() -> NoReturn:
    """The entry point of `autotrader` and of `python -m cli`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; expected failures are one sentence on stderr."""
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()
    except AutotraderError as error:
        return _complain(str(error), BAD_INPUT if isinstance(error, InputError) else FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has closed it; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _report_unexpected(error, arguments)
    return code


def _dispatch(arguments: list[str]) -> int:
    name, rest = _split(arguments)
    if name is None:
        print(_help())
        return 0
    if name not in COMMANDS:
        raise InputError(f"there is no command {name!r}; {suggestion(name, COMMANDS)}")
    module, _, attribute = COMMANDS[name][0].partition(":")
    return _invoke(name, getattr(import_module(module), attribute or "command"), rest)


def _split(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The command and its arguments; --config FILE and -v may stand before the command too."""
    moved: list[str] = []
    while arguments and arguments[0].startswith("-"):
        if arguments[0] in ("-h", "--help"):
            return None, []
        taken = 2 if arguments[0] == "--config" else 1
        moved += arguments[:taken]
        arguments = arguments[taken:]
    if not arguments and moved:
        raise InputError(f"a command is missing after {' '.join(moved)}; `autotrader --help` lists them")
    return (arguments[0], arguments[1:] + moved) if arguments else (None, [])


def _invoke(name: str, target: Any, arguments: list[str]) -> int:
    import typer
    from typer.main import get_command

    command = get_command(target if isinstance(target, typer.Typer) else _app_of(target))
    try:
        result = command.main(args=arguments, prog_name=f"autotrader {name}", standalone_mode=False)
    except typer.TyperException as error:
        fault = _one_line(error.format_message()).rstrip(".")
        raise InputError(f"{fault}; `autotrader {name} --help` says what is allowed") from None
    except typer.Abort:
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _app_of(function: Any) -> "Typer":
    import typer

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(function)
    return app


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = []
    for heading, section in SECTIONS.items():
        lines += [f"{heading}:", *(f"  {name:<{width}}{text}" for name, (_, text) in section.items()), ""]
    return "\n".join(
        [
            "Usage: autotrader COMMAND [OPTIONS] [ARGUMENTS]",
            "",
            "Crypto trading: backtest, replay, paper and live trading by the same rules.",
            "",
            *lines,
            "Options everywhere:",
            "  --config FILE  Settings file [autotrader.toml]",
            "  -v             Say more; show where an unexpected error comes from",
            "  --help         Help on a command",
        ]
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _complain(sentence: str, code: int) -> int:
    from cli.output import printable

    print(f"error: {printable(_one_line(sentence))}", file=sys.stderr)
    return code


def _report_unexpected(error: Exception, arguments: Sequence[str]) -> int:
    if "-v" in arguments or "--verbose" in arguments:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, OSError) and error.filename is not None:
        return _complain(f"{error.filename}: {error.strerror}", FAILED)
    text = f"unexpected {type(error).__name__}: {error} (this is a bug; -v shows where)"
    return _complain(text, FAILED)


if __name__ == "__main__":
    main()
