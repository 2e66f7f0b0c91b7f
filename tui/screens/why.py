"""Opens "why?" over a screen."""

from google.protobuf.timestamp_pb2 import Timestamp

from autotrader.v1 import common_pb2, decision_pb2
from tui import text
from tui.dialogs.detail import Detail
from tui.screens.view import View
from tui.why import why


def show_why(view: View, symbol: str, open_time: Timestamp) -> None:
    """Show the decision on a symbol at the close of one candle."""
    request = decision_pb2.GetDecisionRequest(symbol=symbol, open_time=open_time)
    title = f"Why? {text.visible(symbol)} at the close of {text.moment(open_time)} UTC"

    def show(answer: decision_pb2.GetDecisionResponse) -> None:
        view.console.push_screen(Detail(title, why(answer.decision)))

    view.read(_get(view, request), show)


def show_newest_why(view: View, symbol: str) -> None:
    """Show the newest decision on a symbol."""

    def show(decision: decision_pb2.Decision | None) -> None:
        if decision is None:
            view.notify(f"no decision on {text.visible(symbol)} yet", severity="warning", markup=False)
        else:
            show_why(view, symbol, decision.open_time)

    view.read(_newest(view, symbol), show)


async def _get(view: View, request: decision_pb2.GetDecisionRequest) -> decision_pb2.GetDecisionResponse:
    return await view.console.client.decisions.GetDecision(request)


async def _newest(view: View, symbol: str) -> decision_pb2.Decision | None:
    request = decision_pb2.ListDecisionsRequest(page=common_pb2.Page(size=1), symbols=[symbol])
    answer = await view.console.client.decisions.ListDecisions(request)
    return answer.decisions[0] if answer.decisions else None
