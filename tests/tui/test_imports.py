"""The console starts without the engine's libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"ray", "ccxt", "numba", "polars", "sqlalchemy", "pandas", "numpy", "pydantic"}
OURS = {"trading", "actors", "backtest", "control", "cli"}
SCREENS = sorted(path.stem for path in (ROOT / "tui" / "screens").glob("*.py"))


def loaded(code: str) -> set[str]:
    """The packages that a fresh process has loaded after some code."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_client_import_loads_neither_textual_nor_anything_heavy() -> None:
    found = loaded("import tui.client")
    assert "grpc" in found
    assert not found & (HEAVY | OURS | {"textual"})


def test_console_and_all_its_screens_load_nothing_heavy() -> None:
    screens = "; ".join(f"import tui.screens.{name}" for name in SCREENS)
    found = loaded(f"import tui.app, tui.__main__; {screens}")
    assert "textual" in found
    assert not found & (HEAVY | OURS)


def test_console_without_its_later_screens_is_what_starts() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import tui.app, sys; print('tui.screens.chart' in sys.modules)"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("target", ["nonsense", "host:99999"])
def test_bad_target_is_refused_in_a_sentence_with_exit_code_2(target: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--target", target],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert "HOST:PORT" in done.stderr
    assert "Traceback" not in done.stderr
