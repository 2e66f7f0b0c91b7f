"""What every test gets: hypothesis profiles, one Ray, and a guard that keeps unit tests off it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from actors import spawn

# Before the first import of ray.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

# An engine that a test starts takes free ports, and none of its files lands in the user's state folder.
os.environ["AUTOTRADER__CONTROL__LISTEN"] = "127.0.0.1:0"
os.environ["AUTOTRADER__CONTROL__WEB_LISTEN"] = "127.0.0.1:0"

RAY_TESTS = Path(__file__).parent / "actors"

# `ci` tries the same examples each time; `HYPOTHESIS_PROFILE=explore` looks for new ones.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", PATIENT, derandomize=True, print_blob=True)
settings.register_profile("explore", PATIENT, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that may start Ray; files with long tests come first, so that none is left over."""
    for item in items:
        if RAY_TESTS in item.path.parents:
            item.add_marker("ray")
    long = {item.path for item in items if any(map(item.get_closest_marker, ("ray", "slow")))}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A private Ray on loopback, for all tests of this process."""
    spawn.start_ray()
    yield
    spawn.stop_ray()


@pytest.fixture(autouse=True, scope="session")
def _state_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="autotrader-tests-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield


@pytest.fixture(autouse=True)
def _no_ray_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("ray") is None:
        monkeypatch.setattr("ray.init", _refuse_ray)


def _refuse_ray(*_args: object, **_kwargs: object) -> NoReturn:
    raise AssertionError("a unit test may not start Ray: mark it with @pytest.mark.ray")
