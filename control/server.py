"""The control plane's server: what it is put together from, how it starts and how it ends."""

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from actors.persistence.actor import now_ms as wall_clock_ms
from actors.persistence.reader import Reader
from actors.persistence.runs import Run
from actors.refs import RiskRef, StoreRef, SupervisorRef
from actors.strategy_spec import StrategySpec, spec_of
from autotrader.v1 import (
    account_pb2_grpc,
    audit_pb2_grpc,
    decision_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    log_pb2_grpc,
    market_pb2_grpc,
    portfolio_pb2_grpc,
    risk_pb2_grpc,
    run_pb2_grpc,
    session_pb2_grpc,
    strategy_pb2_grpc,
)
from control.auth.identity import Identity
from control.auth.keys import Keys, engine_id, keys_folder
from control.auth.local import Credential, new_secret, remove_credential, write_credential
from control.auth.private_files import private_folder
from control.auth.tokens import ACCESS_LIFE_MS
from control.calls import Calls
from control.commands import Commands
from control.contract import METHODS, SERVICES
from control.door.app import Door
from control.door.serve import serve_door
from control.engine_commands import EngineCommands
from control.faults import printable
from control.listening import host_of
from control.live_settings import LiveSettings
from control.read_model.actors import Actors
from control.read_model.model import ReadModel, RunFacts
from control.reads import Reads
from control.runs.manager import RunManager
from control.services.accounts import AccountServicer
from control.services.audit import AuditServicer
from control.services.candle_stream import LiveMarketServicer
from control.services.decisions import DecisionServicer
from control.services.engine import EngineServicer
from control.services.events import EventServicer
from control.services.logs import LogServicer
from control.services.portfolio import PortfolioServicer
from control.services.risk import RiskServicer
from control.services.runs import RunServicer
from control.services.sessions import SessionServicer
from control.services.strategies import StrategyServicer
from control.spec import Addresses, ControlSpec
from control.strategy_records import StrategyRecords
from control.tls.loading import ServerTls, load_tls
from trading.errors import AutotraderError, OperationError

MESSAGE_BYTES = 1 << 20
GRACE_SECONDS = 0.5
LOG_SECONDS = 2.0
OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 << 10),
    # The door brings all its calls, at most 256, on one connection.
    ("grpc.max_concurrent_streams", 300),
    ("grpc.so_reuseport", 0),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
MOST_CALLS = 1_000
MOST_SOCKET_BYTES = 100

log = logging.getLogger(__name__)


class ControlServer:
    """Everything in one loop: `start` returns when it listens, `stop` ends it within 2 seconds."""

    def __init__(
        self,
        spec: ControlSpec,
        store: StoreRef,
        risk: RiskRef,
        supervisor: SupervisorRef,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._spec = spec
        self._store = store
        self._risk = risk
        self._supervisor = supervisor
        self._now_ms = now_ms
        self._stack = AsyncExitStack()
        self._secret = new_secret()

    async def start(self) -> Addresses:
        """Read what is stored, listen, and write the credential file. Raises AutotraderError, and leaves
        nothing behind, when it cannot."""
        try:
            return await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """End every call, stop listening, and remove the credential file."""
        await self._stack.aclose()

    async def _start(self) -> Addresses:
        spec = self._spec
        tls = load_tls(spec.listening.tls, self._now_ms()) if spec.listening.tls else None
        reader = await asyncio.to_thread(Reader.open, spec.database_url)
        self._stack.callback(reader.close)
        identity = await self._identity()
        settings = await self._settings(reader)
        model = await self._model(reader, settings)
        server = grpc.aio.server(
            interceptors=[Calls(identity, Commands(self._store, self._now_ms), self._unexpected)],
            options=OPTIONS,
            maximum_concurrent_rpcs=MOST_CALLS,
        )
        await self._add_services(server, reader, identity, settings, model)
        self._stack.push_async_callback(server.stop, GRACE_SECONDS)
        socket = self._socket()
        server.add_insecure_port(f"unix:{socket}")
        target = self._listen(server, tls)
        web = await self._open_door(socket, tls)
        # Whoever is answered finds the secret of this server in the file.
        credential = self._write_credential(target, socket, web)
        await server.start()
        return Addresses(target, web, credential)

    async def _identity(self) -> Identity:
        url = self._spec.database_url
        keys = Keys.open(keys_folder(url), self._now_ms(), ACCESS_LIFE_MS)
        identity = await Identity.open(self._store, keys, engine_id(url), self._secret, self._now_ms)
        self._stack.callback(identity.close)
        return identity

    async def _settings(self, reader: Reader) -> LiveSettings:
        """What is in force, although it was changed since the engine started."""
        spec = self._spec
        stored = await asyncio.to_thread(reader.settings)
        return LiveSettings.resumed(spec.settings, spec.changed, stored, self._store)

    async def _model(self, reader: Reader, settings: LiveSettings) -> ReadModel:
        spec, now_ms = self._spec, self._now_ms
        real = spec.mode in (engine_pb2.TRADING_MODE_PAPER, engine_pb2.TRADING_MODE_LIVE)
        exchange = spec.settings.exchange.id if real else ""
        facts = RunFacts(spec.run_id, spec.mode, spec.feed, spec.version, now_ms(), exchange)

        def strategies() -> list[StrategySpec]:
            return [spec_of(chosen) for chosen in settings.now.strategies]

        model = ReadModel(reader, facts, Actors(self._supervisor, strategies), now_ms)
        await model.start()
        for work in (model.follow, model.look_after_actors):
            task = asyncio.create_task(self._for_good(work), name="read model")
            self._stack.push_async_callback(_cancelled, task)
        return model

    async def _for_good(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work for good; what goes wrong is said, and tried again."""
        while True:
            try:
                await work()
            except Exception as error:
                await self._unexpected("the read model", error)
                await asyncio.sleep(1.0)

    async def _add_services(
        self,
        server: grpc.aio.Server,
        reader: Reader,
        identity: Identity,
        settings: LiveSettings,
        model: ReadModel,
    ) -> None:
        spec, now_ms, supervisor = self._spec, self._now_ms, self._supervisor
        commands = EngineCommands(self._risk, model, now_ms)
        reads = Reads.open(spec.database_url, _run(reader, spec.run_id))
        self._stack.callback(reads.close)
        records = StrategyRecords(reader, spec.run_id)
        strategies = StrategyServicer(model, records, settings, commands, supervisor, now_ms)
        engine_pb2_grpc.add_EngineServiceServicer_to_server(
            EngineServicer(model, commands, supervisor, identity), server
        )
        portfolio_pb2_grpc.add_PortfolioServiceServicer_to_server(
            PortfolioServicer(reads, model.positions), server
        )
        strategy_pb2_grpc.add_StrategyServiceServicer_to_server(strategies, server)
        decision_pb2_grpc.add_DecisionServiceServicer_to_server(DecisionServicer(reads), server)
        risk_pb2_grpc.add_RiskServiceServicer_to_server(
            RiskServicer(model, settings, commands, identity, now_ms), server
        )
        market_pb2_grpc.add_MarketServiceServicer_to_server(LiveMarketServicer(reads, model), server)
        log_pb2_grpc.add_LogServiceServicer_to_server(LogServicer(reads), server)
        event_pb2_grpc.add_EventServiceServicer_to_server(EventServicer(model, now_ms), server)
        session_pb2_grpc.add_SessionServiceServicer_to_server(SessionServicer(identity, now_ms), server)
        account_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(identity, now_ms), server)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditServicer(reads), server)
        runs = self._run_manager(settings, model)
        run_pb2_grpc.add_RunServiceServicer_to_server(RunServicer(runs), server)
        await _add_health_and_reflection(server)

    def _run_manager(self, settings: LiveSettings, model: ReadModel) -> RunManager:
        manager = RunManager(
            Path(self._spec.runs_folder),
            Path(self._spec.candles_folder),
            lambda: settings.now,
            self._now_ms,
            lambda run: model.tell(event_pb2.TOPIC_RUNS, event_pb2.Event(run=run)),
        )
        manager.start()
        self._stack.push_async_callback(manager.close)
        return manager

    def _socket(self) -> Path:
        """Where only the owner connects: at the same place in every start, so that consoles find it again,
        unless its path is too long for a socket."""
        socket = private_folder(keys_folder(self._spec.database_url)) / "control.sock"
        if len(os.fsencode(socket)) > MOST_SOCKET_BYTES:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="autotrader-"))
            socket = Path(folder) / "control.sock"
        return socket

    def _listen(self, server: grpc.aio.Server, tls: ServerTls | None) -> str:
        address = self._spec.listening.grpc
        try:
            port = (
                server.add_secure_port(address, tls.grpc_credentials())
                if tls
                else server.add_insecure_port(address)
            )
        except RuntimeError:
            port = 0
        if not port:
            raise OperationError(f"control.listen: {address} cannot be listened on")
        return f"{address.rpartition(':')[0]}:{port}"

    async def _open_door(self, socket: Path, tls: ServerTls | None) -> str:
        listening = self._spec.listening
        folder = Path(self._spec.web_folder) if self._spec.web_folder else None
        methods = {method.path: method.streaming for method in METHODS.values()}
        hosts = [host_of(listening.web), *(tls.hosts if tls else ())]
        door = Door(socket, methods, hosts=hosts, static=folder)
        shutdown = asyncio.Event()
        served = await serve_door(door, listening.web, tls.context() if tls else None, shutdown)

        async def close() -> None:
            shutdown.set()
            await served.ended

        self._stack.push_async_callback(close)
        return served.address

    def _write_credential(self, target: str, socket: Path, web: str) -> str:
        tls = self._spec.listening.tls
        scheme = "https" if tls else "http"
        authority = tls.certificate if tls else ""
        credential = Credential(
            target, str(socket), self._secret, f"{scheme}://{web}", authority, os.getpid()
        )
        path = write_credential(host_of(target), int(target.rpartition(":")[2]), credential)
        self._stack.callback(remove_credential, path, self._secret)
        return str(path)

    async def _unexpected(self, where: str, error: Exception) -> None:
        """Say loudly what nobody foresaw; in the log of the process at least."""
        log.error("unexpected error in %s", where, exc_info=error)
        text = printable(f"unexpected {type(error).__name__} in {where}: {error}")
        with suppress(AutotraderError, TimeoutError):
            async with asyncio.timeout(LOG_SECONDS):
                await self._store.log("alarm", "control", "unexpected", text)


async def _add_health_and_reflection(server: grpc.aio.Server) -> None:
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for name in ("", *SERVICES):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((*SERVICES, reflection.SERVICE_NAME), server)


def _run(reader: Reader, run_id: int) -> Run:
    return next(run for run in reader.runs() if run.id == run_id)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
