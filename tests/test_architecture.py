"""The house as tests: who imports whom, what an import costs, and what may not be committed."""

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import ray
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted(
    file.parent.name for file in ROOT.glob("*/__init__.py") if file.parent.name not in {"tests", "benchmarks"}
)

COMMAND_MUST_NOT_LOAD = {
    "ray",
    "ccxt",
    "pandas",
    "polars",
    "pydantic",
    "sqlalchemy",
    "numpy",
    "grpc",
    "textual",
}
CORE_MUST_NOT_LOAD = COMMAND_MUST_NOT_LOAD | {"ta", "numba", "rich", "typer"}
# With all that they import; files of candles, settings and indicators stand outside of this core.
CORE = ["trading.engine", "trading.simulated_venue", "trading.journal"]


def packages_loaded(module: str) -> set[str]:
    """The top-level packages that a module brings into a fresh process."""
    probe = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_contracts_hold() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_import_contracts_cover_every_room() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert sorted(config["tool"]["importlinter"]["root_packages"]) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_room_name_anywhere_on_the_machine_resolves_to_this_tree(room: str, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", f"import {room}; print({room}.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(ROOT / room / "__init__.py"), done.stderr


@pytest.mark.skipif(find_spec("cli.main") is None, reason="there is no command yet")
def test_command_import_loads_nothing_heavy() -> None:
    assert not packages_loaded("cli.main") & COMMAND_MUST_NOT_LOAD


@pytest.mark.parametrize("module", CORE)
def test_core_import_loads_nothing_heavy(module: str) -> None:
    assert not packages_loaded(module) & CORE_MUST_NOT_LOAD


def test_ray_in_a_unit_test_is_refused() -> None:
    with pytest.raises(AssertionError, match="may not start Ray"):
        ray.init(address="local")


def test_ray_started_by_its_first_use_in_a_unit_test_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(AssertionError, match="may not start Ray"):
        ray.put(1)


REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "registry." + "yarnpkg"]
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/" + r"(?:work|root|home|Users)/\w")


def committed_files() -> list[Path]:
    """What git holds or would take; skips outside a git repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this tree is not a git repository")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_committed_files_name_no_registry_and_no_machine_path() -> None:
    found = []
    for file in committed_files():
        text = file.read_bytes().decode("utf-8", errors="replace")
        found += [f"{file.relative_to(ROOT)}: {word}" for word in REGISTRIES if word in text]
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
    assert not found
