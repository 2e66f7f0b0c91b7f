"""`autotrader init`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, VerboseOption, YesOption

if TYPE_CHECKING:
    from trading.settings import Settings

QUESTIONS = (
    ("engine", "symbols"),
    ("engine", "timeframe"),
    ("engine", "initial_capital_quote"),
    ("feed", "source"),
    ("exchange", "id"),
)


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
    answers: dict[str, Any] = {}
    for section, name in QUESTIONS:
        if (section, name) == ("exchange", "id") and answers["feed"]["source"] != "exchange":
            continue
        while True:
            found = _valid(answers, section, name, _answer(section, name))
            if found is not None:
                answers.setdefault(section, {})[name] = getattr(getattr(found, section), name)
                break
    return _parsed(answers)


def _answer(section: str, name: str) -> str:
    from trading.settings import Settings

    chosen = getattr(Settings(), section)
    question = str(type(chosen).model_fields[name].description).rpartition(" [")[0]
    default = getattr(chosen, name)
    shown = ",".join(default) if isinstance(default, tuple) else str(default)
    answer: str = typer.prompt(question, default=shown, err=True)
    return answer


def _valid(answers: dict[str, Any], section: str, name: str, answer: str) -> "Settings | None":
    from trading.errors import SettingsError
    from trading.setting_keys import parse_text

    given = {**answers.get(section, {}), name: parse_text(answer, (section, name))}
    try:
        return _parsed({**answers, section: given})
    except SettingsError as error:
        typer.echo(str(error), err=True)
        return None


def _parsed(answers: dict[str, Any]) -> "Settings":
    from trading.settings import parse_settings

    return parse_settings(answers)
