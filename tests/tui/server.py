"""A real gRPC server on a free port with a small fixed world behind it.

The outermost edge of the console's tests. It keeps every request that came, does the plain thing for each
command, and can be stopped, started again on the same port, and told to forget its tokens.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from autotrader.v1 import (
    access_pb2,
    account_pb2,
    account_pb2_grpc,
    common_pb2,
    decision_pb2,
    decision_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    log_pb2,
    log_pb2_grpc,
    market_pb2,
    market_pb2_grpc,
    portfolio_pb2,
    portfolio_pb2_grpc,
    risk_pb2,
    risk_pb2_grpc,
    run_pb2,
    run_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    strategy_pb2,
    strategy_pb2_grpc,
)
from tests.tui import world

SECRET, PASSWORD = "the local secret", "correct horse battery"
PUBLIC = ("SignIn", "SignInLocally", "RefreshTokens")
Row = TypeVar("Row", bound=Message)
Asked = TypeVar("Asked", bound=Message)


class World:
    """What the server tells and remembers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Message]] = []
        self.tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.issued = 0
        self.role: access_pb2.Role.ValueType = access_pb2.ROLE_ADMIN
        self.status = world.status()
        self.positions = world.positions()
        self.strategies = world.strategies()
        self.limits = world.limits()
        self.runs = world.runs()
        self.accounts = world.accounts()
        self.sessions = world.sessions()
        self.events: list[tuple[int, event_pb2.Event]] = []
        self.subscribers: list[asyncio.Event] = []
        self.silent = False
        self.refusals: dict[str, tuple[grpc.StatusCode, str, str, str]] = {}

    def asked(self, kind: type[Asked]) -> list[Asked]:
        """The requests of one kind, in order."""
        return [request for _, request in self.requests if isinstance(request, kind)]

    def publish(self, **event: Any) -> None:
        """Tell every subscriber of something that happened."""
        self.status.sequence += 1
        self.events.append((self.status.sequence, event_pb2.Event(**event)))
        for subscriber in self.subscribers:
            subscriber.set()

    def changed(self) -> None:
        """Tell every subscriber of the status and positions as they are now."""
        self.publish(status=self.status)
        self.publish(positions=event_pb2.OpenPositions(positions=self.positions))

    def done(self, message: str) -> common_pb2.CommandResult:
        """A command's result."""
        return common_pb2.CommandResult(
            message=message, sequence=self.status.sequence, time=world.at(world.NOW)
        )

    def tokens_for(self, name: str, role: access_pb2.Role.ValueType, *, local: bool) -> session_pb2.Tokens:
        """A new pair of tokens."""
        self.issued += 1
        access, refresh = f"access-{self.issued}", "" if local else f"refresh-{self.issued}"
        self.tokens.add(access)
        self.refresh_tokens.add(refresh)
        caller = session_pb2.Caller(name=name, role=role, session_id="local" if local else "s9")
        return session_pb2.Tokens(
            access_token=access,
            refresh_token=refresh,
            access_expires_at=world.at(world.NOW + 900),
            caller=caller,
        )


async def refuse(context: Any, code: grpc.StatusCode, reason: str, sentence: str, field: str = "") -> None:
    """End the call as the control plane does: a code, a sentence, a reason and the field at fault."""
    details = [error_details_pb2.ErrorInfo(reason=reason, domain="autotrader")]
    packed = [any_pb2.Any() for _ in details]
    packed[0].Pack(details[0])
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=sentence)
        packed.append(any_pb2.Any())
        packed[1].Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    status = status_pb2.Status(code=code.value[0], message=sentence, details=packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(code, sentence)


class Guard(grpc.aio.ServerInterceptor):
    """Keeps each request, and lets only signed-in callers through."""

    def __init__(self, told: World) -> None:
        self.told = told

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        name = details.method.rpartition("/")[2]
        token = dict(details.invocation_metadata).get("authorization", "").removeprefix("Bearer ")
        if handler is None:
            return handler
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler.unary_stream, name, token),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler.unary_unary, name, token),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _unary(self, method: Callable[..., Any], name: str, token: str) -> Callable[..., Any]:
        async def call(request: Message, context: Any) -> Any:
            await self._admit(name, token, request, context)
            return await method(request, context)

        return call

    def _stream(self, method: Callable[..., Any], name: str, token: str) -> Callable[..., Any]:
        async def call(request: Message, context: Any) -> Any:
            await self._admit(name, token, request, context)
            async for message in method(request, context):
                if token not in self.told.tokens:
                    await refuse(
                        context, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_ENDED", "the access token has ended"
                    )
                yield message

        return call

    async def _admit(self, name: str, token: str, request: Message, context: Any) -> None:
        if name not in PUBLIC and token not in self.told.tokens:
            await refuse(
                context, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_ENDED", "the access token has ended"
            )
        self.told.requests.append((name, request))
        if name in self.told.refusals:
            code, reason, sentence, field = self.told.refusals[name]
            await refuse(context, code, reason, sentence, field)


def page(rows: Sequence[Row], wanted: common_pb2.Page) -> tuple[list[Row], str]:
    """One page of rows; the token is the number of the next row."""
    start, size = int(wanted.token or 0), wanted.size or 50
    end = start + size
    return list(rows[start:end]), str(end) if end < len(rows) else ""


class Sessions(session_pb2_grpc.SessionServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    async def SignIn(self, request: session_pb2.SignInRequest, context: Any) -> session_pb2.SignInResponse:
        if request.password != PASSWORD:
            await refuse(
                context,
                grpc.StatusCode.UNAUTHENTICATED,
                "WRONG_PASSWORD",
                "the name and the password do not fit",
            )
        return session_pb2.SignInResponse(
            tokens=self.told.tokens_for(request.name, self.told.role, local=False)
        )

    async def SignInLocally(
        self, request: session_pb2.SignInLocallyRequest, context: Any
    ) -> session_pb2.SignInLocallyResponse:
        if request.secret != SECRET:
            await refuse(
                context,
                grpc.StatusCode.UNAUTHENTICATED,
                "WRONG_SECRET",
                "the local secret is not this engine's",
            )
        return session_pb2.SignInLocallyResponse(
            tokens=self.told.tokens_for("local", self.told.role, local=True)
        )

    async def RefreshTokens(
        self, request: session_pb2.RefreshTokensRequest, context: Any
    ) -> session_pb2.RefreshTokensResponse:
        if request.refresh_token not in self.told.refresh_tokens:
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED", "the session has ended")
        self.told.refresh_tokens.discard(request.refresh_token)
        return session_pb2.RefreshTokensResponse(
            tokens=self.told.tokens_for("ada", self.told.role, local=False)
        )

    async def SignOut(self, request: session_pb2.SignOutRequest, context: Any) -> session_pb2.SignOutResponse:
        return session_pb2.SignOutResponse()

    async def GetCaller(
        self, request: session_pb2.GetCallerRequest, context: Any
    ) -> session_pb2.GetCallerResponse:
        return session_pb2.GetCallerResponse(
            caller=session_pb2.Caller(name="ada", role=self.told.role, session_id="s9")
        )

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, context: Any
    ) -> session_pb2.ListSessionsResponse:
        return session_pb2.ListSessionsResponse(sessions=self.told.sessions)

    async def RevokeSession(
        self, request: session_pb2.RevokeSessionRequest, context: Any
    ) -> session_pb2.RevokeSessionResponse:
        self.told.sessions = [session for session in self.told.sessions if session.id != request.id]
        return session_pb2.RevokeSessionResponse(result=self.told.done("the session is ended"))


class Engine(engine_pb2_grpc.EngineServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    def _become(self, state: engine_pb2.EngineState.ValueType, message: str) -> common_pb2.CommandResult:
        self.told.status.state = state
        self.told.changed()
        return self.told.done(message)

    async def GetStatus(
        self, request: engine_pb2.GetStatusRequest, context: Any
    ) -> engine_pb2.GetStatusResponse:
        return engine_pb2.GetStatusResponse(status=self.told.status)

    async def Pause(self, request: engine_pb2.PauseRequest, context: Any) -> engine_pb2.PauseResponse:
        return engine_pb2.PauseResponse(
            result=self._become(engine_pb2.ENGINE_STATE_PAUSED, "entries are paused")
        )

    async def Resume(self, request: engine_pb2.ResumeRequest, context: Any) -> engine_pb2.ResumeResponse:
        return engine_pb2.ResumeResponse(
            result=self._become(engine_pb2.ENGINE_STATE_RUNNING, "entries are taken again")
        )

    async def ClosePosition(
        self, request: engine_pb2.ClosePositionRequest, context: Any
    ) -> engine_pb2.ClosePositionResponse:
        self.told.positions = [row for row in self.told.positions if row.symbol != request.symbol]
        self.told.changed()
        return engine_pb2.ClosePositionResponse(result=self.told.done(f"{request.symbol} is being closed"))

    async def CloseAll(
        self, request: engine_pb2.CloseAllRequest, context: Any
    ) -> engine_pb2.CloseAllResponse:
        self.told.positions = []
        self.told.changed()
        return engine_pb2.CloseAllResponse(result=self.told.done("every position is being closed"))

    async def Kill(self, request: engine_pb2.KillRequest, context: Any) -> engine_pb2.KillResponse:
        self.told.status.killed = request.reason or "operator"
        self.told.positions = []
        return engine_pb2.KillResponse(
            result=self._become(engine_pb2.ENGINE_STATE_KILLED, "the kill switch is thrown")
        )

    async def ResetKillSwitch(
        self, request: engine_pb2.ResetKillSwitchRequest, context: Any
    ) -> engine_pb2.ResetKillSwitchResponse:
        self.told.status.killed = ""
        return engine_pb2.ResetKillSwitchResponse(
            result=self._become(engine_pb2.ENGINE_STATE_RUNNING, "the kill switch is lifted")
        )

    async def Stop(self, request: engine_pb2.StopRequest, context: Any) -> engine_pb2.StopResponse:
        return engine_pb2.StopResponse(result=self.told.done("the engine is ending"))


class Portfolio(portfolio_pb2_grpc.PortfolioServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told
        self.trades = [world.trade(number) for number in range(1_200)]
        self.orders = [world.order(number) for number in range(300)]

    async def ListPositions(
        self, request: portfolio_pb2.ListPositionsRequest, context: Any
    ) -> portfolio_pb2.ListPositionsResponse:
        return portfolio_pb2.ListPositionsResponse(positions=self.told.positions)

    async def ListOrders(
        self, request: portfolio_pb2.ListOrdersRequest, context: Any
    ) -> portfolio_pb2.ListOrdersResponse:
        wanted = [
            row
            for row in self.orders
            if (not request.symbols or row.symbol in request.symbols)
            and (not request.states or row.state in request.states)
        ]
        rows, token = page(wanted, request.page)
        return portfolio_pb2.ListOrdersResponse(orders=rows, next_page_token=token)

    async def ListTrades(
        self, request: portfolio_pb2.ListTradesRequest, context: Any
    ) -> portfolio_pb2.ListTradesResponse:
        wanted = [
            row
            for row in self.trades
            if (not request.symbols or row.symbol in request.symbols)
            and (not request.result or (float(row.realized_profit_quote) > 0) == (request.result == 1))
        ]
        rows, token = page(wanted, request.page)
        return portfolio_pb2.ListTradesResponse(trades=rows, next_page_token=token)

    async def GetEquityCurve(
        self, request: portfolio_pb2.GetEquityCurveRequest, context: Any
    ) -> portfolio_pb2.GetEquityCurveResponse:
        return portfolio_pb2.GetEquityCurveResponse(points=world.equity(request.points or 500))

    async def ListDailyStatistics(
        self, request: portfolio_pb2.ListDailyStatisticsRequest, context: Any
    ) -> portfolio_pb2.ListDailyStatisticsResponse:
        return portfolio_pb2.ListDailyStatisticsResponse()


class Strategies(strategy_pb2_grpc.StrategyServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    def _named(self, name: str) -> strategy_pb2.Strategy:
        return next(row for row in self.told.strategies if row.name == name)

    async def ListStrategies(
        self, request: strategy_pb2.ListStrategiesRequest, context: Any
    ) -> strategy_pb2.ListStrategiesResponse:
        return strategy_pb2.ListStrategiesResponse(strategies=self.told.strategies)

    async def ListStrategyTypes(
        self, request: strategy_pb2.ListStrategyTypesRequest, context: Any
    ) -> strategy_pb2.ListStrategyTypesResponse:
        return strategy_pb2.ListStrategyTypesResponse(types=world.strategy_types())

    async def UpdateStrategy(
        self, request: strategy_pb2.UpdateStrategyRequest, context: Any
    ) -> strategy_pb2.UpdateStrategyResponse:
        found = self._named(request.name)
        for path in request.update_mask.paths:
            setattr(found, path, getattr(request.change, path))
        return strategy_pb2.UpdateStrategyResponse(
            result=self.told.done(f"{found.name} is changed"), strategy=found
        )

    async def AddStrategy(
        self, request: strategy_pb2.AddStrategyRequest, context: Any
    ) -> strategy_pb2.AddStrategyResponse:
        added = strategy_pb2.Strategy(
            name=request.name, type=request.type, enabled=True, weight=request.weight or "1"
        )
        self.told.strategies.append(added)
        return strategy_pb2.AddStrategyResponse(result=self.told.done(f"{added.name} votes"), strategy=added)

    async def RemoveStrategy(
        self, request: strategy_pb2.RemoveStrategyRequest, context: Any
    ) -> strategy_pb2.RemoveStrategyResponse:
        self.told.strategies.remove(self._named(request.name))
        return strategy_pb2.RemoveStrategyResponse(result=self.told.done(f"{request.name} is gone"))


class Decisions(decision_pb2_grpc.DecisionServiceServicer):
    async def ListDecisions(
        self, request: decision_pb2.ListDecisionsRequest, context: Any
    ) -> decision_pb2.ListDecisionsResponse:
        wanted = [
            row
            for row in map(world.decision, range(300))
            if request.kind in (0, row.kind) and (not request.symbols or row.symbol in request.symbols)
        ]
        rows, token = page(wanted, request.page)
        return decision_pb2.ListDecisionsResponse(decisions=rows, next_page_token=token)

    async def GetDecision(
        self, request: decision_pb2.GetDecisionRequest, context: Any
    ) -> decision_pb2.GetDecisionResponse:
        for found in map(world.decision, range(300)):
            if found.symbol == request.symbol and found.open_time == request.open_time:
                return decision_pb2.GetDecisionResponse(decision=found)
        await refuse(
            context,
            grpc.StatusCode.NOT_FOUND,
            "NOT_FOUND",
            "open_time: there is no such decision",
            "open_time",
        )
        raise AssertionError


class Risk(risk_pb2_grpc.RiskServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    async def GetLimits(self, request: risk_pb2.GetLimitsRequest, context: Any) -> risk_pb2.GetLimitsResponse:
        return risk_pb2.GetLimitsResponse(limits=self.told.limits)

    async def UpdateLimits(
        self, request: risk_pb2.UpdateLimitsRequest, context: Any
    ) -> risk_pb2.UpdateLimitsResponse:
        for change in request.changes:
            limit = next(row for row in self.told.limits if row.name == change.name)
            if float(change.value) > float(limit.value) and not request.reauthentication.WhichOneof("proof"):
                sentence = f"{change.name} becomes looser: show once more who you are"
                await refuse(
                    context, grpc.StatusCode.FAILED_PRECONDITION, "REAUTHENTICATION_REQUIRED", sentence
                )
            limit.value, limit.changed = change.value, True
        return risk_pb2.UpdateLimitsResponse(
            result=self.told.done("limits are changed"), limits=self.told.limits
        )


class Market(market_pb2_grpc.MarketServiceServicer):
    async def ListCandles(
        self, request: market_pb2.ListCandlesRequest, context: Any
    ) -> market_pb2.ListCandlesResponse:
        return market_pb2.ListCandlesResponse(candles=world.candles(request.symbol, request.limit or 500))

    async def StreamCandles(
        self, request: market_pb2.StreamCandlesRequest, context: Any
    ) -> AsyncIterator[market_pb2.StreamCandlesResponse]:
        yield market_pb2.StreamCandlesResponse(candles=[world.candle(symbol, 0) for symbol in world.SYMBOLS])


class Logs(log_pb2_grpc.LogServiceServicer):
    async def ListLogEntries(
        self, request: log_pb2.ListLogEntriesRequest, context: Any
    ) -> log_pb2.ListLogEntriesResponse:
        wanted = [
            row
            for row in map(world.log_entry, range(400))
            if row.level >= request.least_level
            and request.contains.lower() in row.text.lower()
            and request.source in ("", row.source)
        ]
        rows, token = page(wanted, request.page)
        return log_pb2.ListLogEntriesResponse(entries=rows, next_page_token=token)


class Runs(run_pb2_grpc.RunServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    def _queue(self, kind: run_pb2.RunKind.ValueType, title: str) -> run_pb2.Run:
        run = run_pb2.Run(
            id=f"r{len(self.told.runs) + 1}",
            kind=kind,
            state=run_pb2.RUN_STATE_QUEUED,
            title=title,
            started_by="local",
            created_at=world.at(world.NOW),
        )
        self.told.runs.insert(0, run)
        self.told.publish(run=run)
        return run

    async def ListCandleFiles(
        self, request: run_pb2.ListCandleFilesRequest, context: Any
    ) -> run_pb2.ListCandleFilesResponse:
        return run_pb2.ListCandleFilesResponse(files=world.candle_files())

    async def StartBacktest(
        self, request: run_pb2.StartBacktestRequest, context: Any
    ) -> run_pb2.StartBacktestResponse:
        run = self._queue(
            run_pb2.RUN_KIND_BACKTEST, "backtest of " + ", ".join(row.symbol for row in request.data)
        )
        return run_pb2.StartBacktestResponse(result=self.told.done("the backtest is queued"), run=run)

    async def StartSweep(
        self, request: run_pb2.StartSweepRequest, context: Any
    ) -> run_pb2.StartSweepResponse:
        run = self._queue(
            run_pb2.RUN_KIND_SWEEP, "sweep of " + ", ".join(row.key for row in request.settings)
        )
        return run_pb2.StartSweepResponse(result=self.told.done("the sweep is queued"), run=run)

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: Any) -> run_pb2.ListRunsResponse:
        rows, token = page(self.told.runs, request.page)
        return run_pb2.ListRunsResponse(runs=rows, next_page_token=token)

    async def GetRun(self, request: run_pb2.GetRunRequest, context: Any) -> run_pb2.GetRunResponse:
        return run_pb2.GetRunResponse(run=next(row for row in self.told.runs if row.id == request.id))

    async def WatchRun(
        self, request: run_pb2.WatchRunRequest, context: Any
    ) -> AsyncIterator[run_pb2.WatchRunResponse]:
        yield run_pb2.WatchRunResponse(run=next(row for row in self.told.runs if row.id == request.id))

    async def CancelRun(self, request: run_pb2.CancelRunRequest, context: Any) -> run_pb2.CancelRunResponse:
        run = next(row for row in self.told.runs if row.id == request.id)
        run.state = run_pb2.RUN_STATE_CANCELLED
        self.told.publish(run=run)
        return run_pb2.CancelRunResponse(result=self.told.done(f"{run.id} is cancelled"))

    async def DownloadRunFile(
        self, request: run_pb2.DownloadRunFileRequest, context: Any
    ) -> AsyncIterator[run_pb2.DownloadRunFileResponse]:
        yield run_pb2.DownloadRunFileResponse(content=b"{}")


async def want_proof(
    context: Any, request: account_pb2.CreateAccountRequest | account_pb2.UpdateAccountRequest
) -> None:
    """Refuse what comes without a proof of who asks."""
    if not request.reauthentication.WhichOneof("proof"):
        sentence = "reauthentication: this needs your password again"
        await refuse(context, grpc.StatusCode.PERMISSION_DENIED, "REAUTHENTICATION_REQUIRED", sentence)


class Accounts(account_pb2_grpc.AccountServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    async def ListAccounts(
        self, request: account_pb2.ListAccountsRequest, context: Any
    ) -> account_pb2.ListAccountsResponse:
        return account_pb2.ListAccountsResponse(accounts=self.told.accounts)

    async def CreateAccount(
        self, request: account_pb2.CreateAccountRequest, context: Any
    ) -> account_pb2.CreateAccountResponse:
        if request.role == access_pb2.ROLE_ADMIN:
            await want_proof(context, request)
        account = account_pb2.Account(name=request.name, role=request.role, created_at=world.at(world.NOW))
        self.told.accounts.append(account)
        return account_pb2.CreateAccountResponse(
            result=self.told.done(f"{account.name} may sign in"), account=account
        )

    async def UpdateAccount(
        self, request: account_pb2.UpdateAccountRequest, context: Any
    ) -> account_pb2.UpdateAccountResponse:
        if "password" in request.update_mask.paths or request.change.role == access_pb2.ROLE_ADMIN:
            await want_proof(context, request)
        account = next(row for row in self.told.accounts if row.name == request.name)
        if "role" in request.update_mask.paths:
            account.role = request.change.role
        if "disabled" in request.update_mask.paths:
            account.disabled = request.change.disabled
        return account_pb2.UpdateAccountResponse(
            result=self.told.done(f"{account.name} is changed"), account=account
        )

    async def DeleteAccount(
        self, request: account_pb2.DeleteAccountRequest, context: Any
    ) -> account_pb2.DeleteAccountResponse:
        self.told.accounts = [row for row in self.told.accounts if row.name != request.name]
        return account_pb2.DeleteAccountResponse(result=self.told.done(f"{request.name} is removed"))

    async def ChangePassword(
        self, request: account_pb2.ChangePasswordRequest, context: Any
    ) -> account_pb2.ChangePasswordResponse:
        return account_pb2.ChangePasswordResponse(result=self.told.done("the password is changed"))


class Events(event_pb2_grpc.EventServiceServicer):
    def __init__(self, told: World) -> None:
        self.told = told

    async def Subscribe(
        self, request: event_pb2.SubscribeRequest, context: Any
    ) -> AsyncIterator[event_pb2.SubscribeResponse]:
        wake = asyncio.Event()
        self.told.subscribers.append(wake)
        resumed = request.run_id == self.told.status.run_id and request.after_sequence
        told = request.after_sequence if resumed else self.told.status.sequence
        first = [
            event_pb2.Event(status=self.told.status),
            event_pb2.Event(positions=event_pb2.OpenPositions(positions=self.told.positions)),
        ]
        try:
            while True:
                if not self.told.silent:
                    news = [event for sequence, event in self.told.events if sequence > told]
                    told = self.told.status.sequence
                    yield event_pb2.SubscribeResponse(
                        sequence=told,
                        run_id=self.told.status.run_id,
                        events=first + news,
                        sent_at=world.at(world.NOW),
                    )
                first = []
                wake.clear()
                try:
                    await asyncio.wait_for(wake.wait(), 0.5)
                except TimeoutError:
                    continue
        finally:
            self.told.subscribers.remove(wake)


class ControlServer:
    """The server with its world; `async with ControlServer()` starts it on a free port."""

    def __init__(self) -> None:
        self.told = World()
        self.port = 0
        self._server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen: on a free port the first time, later on the same one."""
        server = grpc.aio.server(interceptors=[Guard(self.told)], options=[("grpc.so_reuseport", 0)])
        told = self.told
        session_pb2_grpc.add_SessionServiceServicer_to_server(Sessions(told), server)
        engine_pb2_grpc.add_EngineServiceServicer_to_server(Engine(told), server)
        portfolio_pb2_grpc.add_PortfolioServiceServicer_to_server(Portfolio(told), server)
        strategy_pb2_grpc.add_StrategyServiceServicer_to_server(Strategies(told), server)
        decision_pb2_grpc.add_DecisionServiceServicer_to_server(Decisions(), server)
        risk_pb2_grpc.add_RiskServiceServicer_to_server(Risk(told), server)
        market_pb2_grpc.add_MarketServiceServicer_to_server(Market(), server)
        log_pb2_grpc.add_LogServiceServicer_to_server(Logs(), server)
        run_pb2_grpc.add_RunServiceServicer_to_server(Runs(told), server)
        account_pb2_grpc.add_AccountServiceServicer_to_server(Accounts(told), server)
        event_pb2_grpc.add_EventServiceServicer_to_server(Events(told), server)
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Go away at once; calls under way are cut."""
        if self._server:
            await self._server.stop(None)
        self._server = None

    async def __aenter__(self) -> "ControlServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def write_credential(self, state_home: Path) -> Path:
        """The credential file as an engine writes it."""
        folder = state_home / "autotrader"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"control-127.0.0.1-{self.port}.json"
        path.write_text(
            json.dumps(
                {"target": self.address, "secret": SECRET, "web": "", "tls_ca": "", "process": os.getpid()}
            )
        )
        path.chmod(0o600)
        return path
