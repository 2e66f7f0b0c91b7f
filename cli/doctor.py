"""`autotrader doctor`."""

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import ConfigOption, JsonOption, VerboseOption

if TYPE_CHECKING:
    from trading.settings import Settings

PACKAGES = ("ray", "polars", "numpy", "pydantic", "sqlalchemy", "alembic", "ta", "typer", "rich", "ccxt")
LEAST_FREE_BYTES = 1 << 30
# Name of the check, whether it passed, and what was found.
Finding = tuple[str, bool, str]


def command(config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False) -> int:
    """Check this installation; exit code 1 when something is wrong."""
    from cli.output import print_json, print_table

    findings = list(_findings(config))
    sound = all(passed for _, passed, _ in findings)
    if as_json:
        checks = [{"check": name, "ok": passed, "found": found} for name, passed, found in findings]
        print_json({"ok": sound, "checks": checks})
    else:
        rows = [("ok" if passed else "WRONG", name, found) for name, passed, found in findings]
        print_table("", ("", "check", "found"), rows)
    return 0 if sound else 1


def _findings(config: Path | None) -> Iterator[Finding]:
    yield _python()
    yield from map(_package, PACKAGES)
    yield _importable("ray")
    folder = config.parent if config else Path()
    yield _writable(folder)
    yield _free_disk(folder)
    yield _dotenv(folder / ".env")
    yield _clock()
    yield from _settings_and_database(config)


def _python() -> Finding:
    return ("python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} ({sys.executable})")


def _package(name: str) -> Finding:
    try:
        return (f"package {name}", True, version(name))
    except PackageNotFoundError:
        return (f"package {name}", False, "not installed; run: make setup")


def _importable(name: str) -> Finding:
    try:
        import_module(name)
    except Exception as error:
        return (f"import {name}", False, f"{type(error).__name__}: {error}")
    return (f"import {name}", True, "works")


def _writable(folder: Path) -> Finding:
    writable = os.access(folder, os.W_OK)
    return ("folder", writable, f"{folder.resolve()} {'can' if writable else 'cannot'} be written")


def _free_disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder if folder.is_dir() else Path()).free
    return ("free disk", free >= LEAST_FREE_BYTES, f"{free / (1 << 30):.1f} GiB, wanted is 1 GiB")


def _dotenv(file: Path) -> Finding:
    if not file.exists():
        return (".env", True, "none")
    mode = stat.S_IMODE(file.stat().st_mode)
    private = not mode & 0o077
    return (".env", private, f"mode {mode:04o}" + ("" if private else f"; run: chmod 600 {file}"))


def _clock() -> Finding:
    """A clock that is behind the files of this program is wrong."""
    ahead = Path(__file__).stat().st_mtime - time.time()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return ("clock", ahead < 60, now if ahead < 60 else f"{now} is before this program was installed")


def _settings_and_database(config: Path | None) -> Iterable[Finding]:
    from cli.config import load_settings
    from trading.errors import InputError
    from trading.strategies.registry import made_strategies

    try:
        loaded = load_settings(config)
        made_strategies(loaded.settings)
    except InputError as error:
        return [("settings", False, str(error))]
    found = [("settings", True, str(loaded.file or "defaults")), _database(loaded.settings.database.url)]
    if _uses_exchange(loaded.settings):
        from cli.exchange_health import findings

        found += findings(loaded.settings)
    return found


def _uses_exchange(settings: "Settings") -> bool:
    return settings.feed.source == "exchange" or settings.engine.mode == "live"


def _database(url: str) -> Finding:
    from actors.persistence.engine_url import is_sqlite, parse_url, shown, sqlite_file
    from actors.persistence.reader import Reader
    from trading.errors import AutotraderError

    try:
        parsed = parse_url(url)
        if is_sqlite(parsed) and not sqlite_file(parsed).exists():
            return ("database", True, f"{shown(parsed)}: will be made by the first run")
        Reader.open(url).close()
    except AutotraderError as error:
        return ("database", False, str(error))
    return ("database", True, f"{shown(parsed)}: schema is current")
