"""The effective settings: default < file < environment < changed at run time < --set."""

import copy
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.config_files import PREFIX, is_secret_variable, read_dotenv, read_toml
from trading.errors import InputError, SettingsError
from trading.setting_keys import Path as SettingPath
from trading.setting_keys import Tree, find_path, key_of, leaves, parse_json, parse_text, put
from trading.settings import DEFAULT_STRATEGIES, SECRETS, DatabaseSettings, Settings, parse_settings

DEFAULT_FILE = "autotrader.toml"
LIVE_DATABASE = "sqlite:///autotrader-live.db"
DEFAULT, FILE, ENVIRONMENT, RUN_TIME, OPTION = "default", "file", "environment", "run time", "--set"
_PLACES = {ENVIRONMENT: "the environment", RUN_TIME: "the changes at run time", OPTION: "--set"}


@dataclass(frozen=True)
class LoadedSettings:
    """Settings with the source of every value that is not a default, by path, and their file."""

    settings: Settings
    sources: Mapping[SettingPath, str]
    file: Path | None

    def listed(self) -> list[tuple[str, Any, str]]:
        """Every key with its value and where that comes from, in the order of the file."""
        found = leaves(self.settings.model_dump())
        return [(key_of(path), value, self.sources.get(path, DEFAULT)) for path, value in found]


def load_settings(
    config: Path | None = None,
    overrides: Iterable[str] = (),
    changes: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """The effective settings.

    `config` is the file that --config named; without it autotrader.toml is taken if there is one.
    `overrides` are the KEY=VALUE of --set, `changes` the JSON texts of what was changed at run time.
    With money, LIVE_DATABASE is meant where the default database stands.
    Raises SettingsError, one sentence, for the first fault of the lowest layer that has one.
    """
    file = find_file(config)
    beside = (file or Path(DEFAULT_FILE)).parent / ".env"
    variables = read_dotenv(beside) | _variables(os.environ if environment is None else environment)
    stack = _Stack()
    if file:
        stack.add_file(file)
    stack.assign(ENVIRONMENT, _keyed(variables))
    stack.assign(RUN_TIME, sorted((changes or {}).items(), key=_depth))
    stack.assign(OPTION, [split_override(text) for text in overrides])
    return LoadedSettings(_with_own_database(stack.settings), stack.sources, file)


def _with_own_database(settings: Settings) -> Settings:
    """Paper and money are kept apart, also where nobody chose a database."""
    if settings.engine.mode != "live" or settings.database != DatabaseSettings():
        return settings
    return settings.model_copy(update={"database": DatabaseSettings(url=LIVE_DATABASE)})


def find_file(config: Path | None) -> Path | None:
    """The settings file: the one named, which must exist, else autotrader.toml if there is one."""
    if config is not None:
        if not config.exists():
            raise SettingsError(f"--config: {config} does not exist; `autotrader init` writes one")
        return config
    default = Path(DEFAULT_FILE)
    return default if default.exists() else None


def split_override(text: str) -> tuple[str, str]:
    """Key and value of a `--set KEY=VALUE`; raises SettingsError when it is not of that form."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set: {text!r} is not KEY=VALUE, such as risk.stop_loss_percent=3")
    return key.strip(), value.strip()


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


def _keyed(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Keys with their texts, whole tables before single values; an empty secret is none."""
    pairs = [
        (name.removeprefix(PREFIX).lower().replace("__", "."), text)
        for name, text in variables.items()
        if text or not is_secret_variable(name)
    ]
    return sorted(pairs, key=_depth)


def _depth(pair: tuple[str, str]) -> int:
    """Whole tables come before single values in them."""
    return pair[0].count(".")


class _Stack:
    """Layers put on one another; after each the whole is valid again."""

    def __init__(self) -> None:
        self.tree: Tree = {"strategies": [_entry(each.model_dump()) for each in DEFAULT_STRATEGIES]}
        self.settings = Settings()
        self.sources: dict[SettingPath, str] = {}

    def add_file(self, file: Path) -> None:
        raw = read_toml(file)

        def merge(tree: Tree) -> list[SettingPath]:
            tree.update(raw)
            return [(section,) for section in raw]

        self._apply(FILE, str(file), merge)

    def assign(self, source: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Put values under keys, the settings checked when all are there."""
        given = list(pairs)
        parse = parse_json if source == RUN_TIME else parse_text

        def merge(tree: Tree) -> list[SettingPath]:
            paths = []
            for key, text in given:
                path = find_path(key, tree)
                put(tree, path, parse(text, path))
                paths.append(path)
            return paths

        if given:
            self._apply(source, _PLACES[source], merge)

    def _apply(self, source: str, place: str, merge: Callable[[Tree], list[SettingPath]]) -> None:
        tree = copy.deepcopy(self.tree)
        try:
            paths = merge(tree)
            if source != ENVIRONMENT:
                _refuse_secrets(self.tree, tree)
            self.settings = parse_settings(tree)
        except InputError as error:
            raise SettingsError(f"{error} (in {place})") from None
        self.tree = tree
        for leaf, _ in leaves(tree):
            if any(leaf[: len(path)] == path for path in paths):
                self.sources[leaf] = source


def _entry(strategy: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in strategy.items() if value is not None}


def _refuse_secrets(before: Tree, after: Tree) -> None:
    old, new = (tree.get("exchange") for tree in (before, after))
    for name in SECRETS:
        if isinstance(new, Mapping) and name in new and new[name] != (old or {}).get(name):
            raise SettingsError(
                f"exchange.{name}: a secret comes only from {PREFIX}EXCHANGE__{name.upper()} "
                "in the environment or in a .env of mode 0600"
            )
