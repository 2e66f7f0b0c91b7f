"""Ray: how it starts, how actors are made, found, asked and ended. Nothing else knows these options."""

import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.ports import ActorLost
from trading.errors import AutotraderError, OperationError

NAMESPACE = "autotrader"
OBJECT_STORE_BYTES = 80_000_000
CONNECT_SECONDS = 5.0
# Without one of these nothing goes on.
NEEDED = ("raylet", "gcs_server")

_LEFT_OUT = ("start_monitor", "start_log_monitor", "start_api_server")

# Set before Ray is imported: no usage reports, plain logs, and our own devices left alone.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # By itself Ray makes its workers nice, and they starve on a busy machine.
    "RAY_worker_niceness": "0",
}


def start_ray(address: str | None = None, object_store_bytes: int = OBJECT_STORE_BYTES) -> None:
    """Start a private Ray on loopback, or join the cluster at `address`.

    A private one dies with this process, and has `object_store_bytes` of shared memory. Raises
    OperationError when the cluster cannot be reached.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if address is None:
        # A private Ray that is gone does not come back: whoever still talks to it gives up soon.
        os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
    else:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    common: dict[str, Any] = {
        "namespace": NAMESPACE,
        "logging_level": "ERROR",
        "log_to_driver": False,
        "include_dashboard": False,
    }
    if address is None:
        with _only_what_a_laptop_needs():
            ray.init(
                address="local",
                _node_ip_address="127.0.0.1",
                object_store_memory=object_store_bytes,
                **common,
            )
    else:
        del common["include_dashboard"]
        _refuse_closed_port(address)
        try:
            ray.init(address=address, **common)
        except Exception as error:
            raise OperationError(f"address: no Ray cluster at {address!r}: {error}") from None
    _protect_token()


def _refuse_closed_port(address: str) -> None:
    """Raise OperationError when nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise OperationError(f"address: no Ray cluster at {address!r}: {error}") from None


@contextmanager
def _only_what_a_laptop_needs() -> Iterator[None]:
    """Leave out three helper processes of a node that serves one program: the autoscaler's monitor,
    the copier of logs, and the job server. They cost 250 MB and most of Ray's start-up time, and
    `ray.init` has no option for them; where Ray does not have them, nothing is left out."""
    from ray._private.node import Node

    kept = {name: getattr(Node, name) for name in _LEFT_OUT if hasattr(Node, name)}
    for name in kept:
        setattr(Node, name, lambda _node, **_options: None)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(Node, name, method)


class RayDied(OperationError):
    """A process of the private Ray has died: nothing that ran on it can go on."""


def _own_processes() -> dict[str, list[Any]]:
    """The processes of a private Ray by their kind; none when this process has no Ray of its own."""
    from ray._private import worker

    node = getattr(worker, "_global_node", None)
    found: dict[str, list[Any]] = dict(node.all_processes) if node is not None else {}
    return found


def dead_process() -> str:
    """Which process of the private Ray has died; empty when all live, or none is ours."""
    for kind, processes in _own_processes().items():
        if kind in NEEDED and any(each.process.poll() is not None for each in processes):
            return kind
    return ""


def kill_workers() -> None:
    """End what a raylet that died left running: its workers carry its number in their environment."""
    for each in _own_processes().get("raylet", []):
        mark = f"RAY_RAYLET_PID={each.process.pid}".encode()
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environment.read_bytes().split(b"\0"):
                    os.kill(int(environment.parent.name), signal.SIGKILL)


def stop_ray() -> None:
    """Leave Ray; a private one ends."""
    import ray

    ray.shutdown()


class Pin(Struct, frozen=True):
    """The node that an actor belongs on; `firm`: on no other, also when that one is gone."""

    node: str
    firm: bool


def this_node() -> str:
    """The id of the node that this process runs on."""
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    return node


def spawn(kind: type[Any], name: str, *args: Any, threads: int | None = None, pin: Pin | None = None) -> None:
    """Make the actor `name` of this class, unless it is there; Ray starts it again whenever it dies.

    It is detached, so that it lives as long as its cluster and not as long as who made it. Its
    calls are never retried by Ray: whoever asked asks again.
    """
    import ray

    options: dict[str, Any] = {} if threads is None else {"max_concurrency": threads}
    if pin is not None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(pin.node, soft=not pin.firm)
    ray.remote(kind).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_task_retries=0,
        num_cpus=0,
        **options,
    ).remote(*args)


def handle(name: str) -> Any:
    """The actor's handle, good across restarts; raises ActorLost when there is none (yet)."""
    import ray

    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError:
        raise ActorLost(f"there is no actor {name!r}") from None


def translated(error: Exception, name: str) -> Exception:
    """What an error of a call means to the caller: the actor was lost, or what it raised itself."""
    from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

    if isinstance(error, RayActorError | GetTimeoutError):
        return ActorLost(f"actor {name!r} does not answer")
    if isinstance(error, RayTaskError) and isinstance(error.cause, AutotraderError):
        return error.cause
    return error


def ask(name: str, method: str, *args: Any, timeout_seconds: float | None = None) -> Any:
    """Call an actor and wait for its answer; for code that is not async."""
    import ray

    try:
        return ray.get(getattr(handle(name), method).remote(*args), timeout=timeout_seconds)
    except ActorLost:
        raise
    except Exception as error:
        raise translated(error, name) from None


def ask_all(names: Iterable[str], method: str, timeout_seconds: float) -> dict[str, Any]:
    """Call several actors at once; the answers of those that are there and answered in time."""
    import ray

    asked = {}
    for name in names:
        try:
            asked[getattr(handle(name), method).remote()] = name
        except ActorLost:
            continue
    if not asked:
        return {}
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=timeout_seconds)
    answers = {}
    for reference in answered:
        try:
            answers[asked[reference]] = ray.get(reference)
        except Exception as error:
            if not isinstance(translated(error, asked[reference]), ActorLost):
                raise
    return answers


def exists(name: str) -> bool:
    """Whether there is an actor of this name, starting or started."""
    try:
        handle(name)
    except ActorLost:
        return False
    return True


def tell(name: str, method: str) -> None:
    """Call an actor and do not wait for it."""
    getattr(handle(name), method).remote()


def end(names: Iterable[str], *, restart: bool = False) -> None:
    """End actors by name; with `restart` Ray starts them again."""
    import ray

    for name in names:
        try:
            ray.kill(handle(name), no_restart=not restart)
        except ActorLost:
            continue


def end_and_wait(names: Iterable[str], seconds: float = 5.0) -> None:
    """End actors, and wait until their names are free again."""
    ended = list(names)
    end(ended)
    deadline = time.monotonic() + seconds
    while any(map(exists, ended)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _protect_token() -> None:
    """Ray writes its token readable by all; it is ours alone."""
    token = os.path.expanduser("~/.ray/auth_token")
    if os.path.exists(token):
        os.chmod(token, 0o600)
