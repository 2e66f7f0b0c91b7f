"""The worker that keeps the facts new: signs in, reads what the stream does not tell, follows the stream."""

import asyncio
from typing import TYPE_CHECKING

from autotrader.v1 import engine_pb2, event_pb2, portfolio_pb2, risk_pb2, session_pb2
from tui.client import Back, ClientError, Lost, SignInNeeded, Subscribed
from tui.dialogs.sign_in import SignIn
from tui.facts import ALL, EQUITY_POINTS

if TYPE_CHECKING:
    from tui.app import ConsoleApp

TOPICS = [value for value in event_pb2.Topic.values() if value != event_pb2.TOPIC_UNSPECIFIED]
PAUSE_SECONDS = 1.0


class Feed:
    """Runs for as long as the console does."""

    def __init__(self, app: "ConsoleApp") -> None:
        self._app = app
        self._facts = app.facts
        self._client = app.client

    async def run(self) -> None:
        """Follow the engine; what goes wrong is said in the banner, and tried again."""
        while True:
            try:
                await self._begin()
                async for update in self._client.subscribe(TOPICS):
                    self._take(update)
            except SignInNeeded as error:
                if await self._app.push_screen_wait(SignIn(self._client, str(error))) is None:
                    self._app.exit()
                    return
            except ClientError as error:
                self._lose(str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _begin(self) -> None:
        """Who is signed in, and the status at once; the stream tells the rest."""
        answer = await self._client.sessions.GetCaller(session_pb2.GetCallerRequest())
        self._facts.caller = answer.caller
        status = await self._client.engine.GetStatus(engine_pb2.GetStatusRequest())
        self._facts.take(event_pb2.SubscribeResponse(events=[event_pb2.Event(status=status.status)]))
        self._find()

    def _take(self, update: Subscribed) -> None:
        if isinstance(update, Lost):
            self._lose(update.reason)
        elif isinstance(update, Back):
            self._find()
        else:
            self._facts.take(update)
        if self._facts.changed:
            self._app.facts_changed()

    def _lose(self, reason: str) -> None:
        if not self._facts.lost or not self._facts.lost_at:
            self._facts.lost_at = self._app.clock()
        self._facts.lost = reason
        self._facts.changed.add("link")
        self._app.facts_changed()

    def _find(self) -> None:
        """It is there (again): whatever was read before may be old."""
        self._facts.lost, self._facts.lost_at = "", 0.0
        self._facts.changed |= ALL
        self._app.facts_changed()

    async def read_limits(self) -> None:
        """How much of each limit is used; the stream does not tell."""
        answer = await self._client.risk.GetLimits(risk_pb2.GetLimitsRequest())
        self._facts.limits = list(answer.limits)

    async def read_equity(self) -> None:
        """The curve until now; the status tells how it goes on."""
        request = portfolio_pb2.GetEquityCurveRequest(points=EQUITY_POINTS)
        answer = await self._client.portfolio.GetEquityCurve(request)
        self._facts.equity = [float(point.equity_quote or 0) for point in answer.points]
