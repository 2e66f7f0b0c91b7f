"""`autotrader init`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, VerboseOption, YesOption

if TYPE_CHECKING:
    from trading.settings import Settings


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")] = Path(),
    yes: YesOption = False,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Write a commented autotrader.toml and .env.example."""
    from cli.output import on_terminal
    from trading.errors import OperationError, SettingsError

    target = folder / (config or "autotrader.toml")
    example = target.parent / ".env.example"
    for file in (target, example):
        if file.exists():
            raise SettingsError(f"{file} exists already; remove it or name another folder")
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file; name a folder")
    settings = _asked() if on_terminal() and not yes else _defaults()
    try:
        _write(target, example, settings)
    except OSError as error:
        raise OperationError(f"{target.parent} cannot be written: {error.strerror or error}") from None
    print(f"wrote {target} and {example}")


def _defaults() -> "Settings":
    from trading.settings import Settings

    return Settings()


def _write(target: Path, example: Path, settings: "Settings") -> None:
    from cli.template import ENV_EXAMPLE
    from trading.settings_file import settings_file

    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(settings_file(settings), encoding="utf-8")
    example.write_text(ENV_EXAMPLE, encoding="utf-8")


def _asked() -> "Settings":
    """The settings with what a person answers; a wrong answer is told and asked again."""
    from trading.setting_keys import parse_text
    from trading.settings import EngineSettings

    engine: dict[str, Any] = {}
    for name in ("symbols", "timeframe", "initial_capital_quote"):
        question = str(EngineSettings.model_fields[name].description).rpartition(" [")[0]
        default = EngineSettings.model_fields[name].default
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        while True:
            answer = typer.prompt(question, default=shown, err=True)
            settings = _valid({**engine, name: parse_text(answer, ("engine", name))})
            if settings:
                engine[name] = getattr(settings.engine, name)
                break
    return _valid(engine) or _defaults()


def _valid(engine: dict[str, Any]) -> "Settings | None":
    from trading.errors import SettingsError
    from trading.settings import parse_settings

    try:
        return parse_settings({"engine": engine})
    except SettingsError as error:
        typer.echo(str(error), err=True)
        return None
