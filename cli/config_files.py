"""Reading autotrader.toml and the .env beside it."""

import io
import stat
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading.errors import SettingsError
from trading.setting_types import without_password
from trading.settings import SECRETS

LARGEST_FILE_BYTES = 1 << 20
PREFIX = "AUTOTRADER__"


def read_text(path: Path) -> str:
    """A small UTF-8 text file; raises SettingsError when it is missing, huge or not text."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise SettingsError(f"{path}: is larger than 1 MiB; that is not a settings file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise SettingsError(f"{path}: is not a text file in UTF-8")
    return text


def read_toml(path: Path) -> dict[str, Any]:
    """The nested mapping of a settings file, numbers exact; raises SettingsError when it is not one."""
    text = read_text(path)
    if not text.strip():
        raise SettingsError(f"{path}: is empty; `autotrader init` writes one with every setting")
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise SettingsError(f"{path}: is not TOML: {error or 'it is nested too deeply'}") from None
    _check_password(path, raw)
    return _with_absolute_paths(raw, path.parent)


def _check_password(path: Path, raw: Mapping[str, Any]) -> None:
    database = raw.get("database")
    url = database.get("url") if isinstance(database, Mapping) else None
    if isinstance(url, str) and has_password(url) and not is_private(path):
        raise SettingsError(
            f"database.url: {path} holds a password but others may read it; "
            f"give {PREFIX}DATABASE__URL instead, or run: chmod 600 {path}"
        )


def _with_absolute_paths(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A strategy's file is meant relative to the settings file."""
    strategies = raw.get("strategies")
    for entry in strategies if isinstance(strategies, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and entry["path"]:
            entry["path"] = str(folder / entry["path"])
    return raw


def read_dotenv(path: Path) -> dict[str, str]:
    """The AUTOTRADER__ variables of a .env, none when there is no such file.

    Raises SettingsError when it holds secrets and others than its owner may read it.
    """
    from dotenv import dotenv_values

    if not path.exists():
        return {}
    values = dotenv_values(stream=io.StringIO(read_text(path)), interpolate=False)
    found = {name: value for name, value in values.items() if name.startswith(PREFIX) and value is not None}
    if _secret_names(found) and not is_private(path):
        names = ", ".join(_secret_names(found))
        raise SettingsError(f"{path}: holds secrets ({names}) but others may read it; run: chmod 600 {path}")
    return found


def _secret_names(variables: Mapping[str, str]) -> list[str]:
    return [
        name
        for name, value in variables.items()
        if (is_secret_variable(name) and value) or has_password(value)
    ]


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable holds a secret: AUTOTRADER__EXCHANGE__API_KEY, for one."""
    return name.lower().rpartition("__")[2] in SECRETS


def has_password(url: str) -> bool:
    """Whether a URL such as postgresql://user:password@host holds a password."""
    return without_password(url) != url


def is_private(path: Path) -> bool:
    """Whether nobody but the file's owner may read or write it."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077
