"""What the commands on a running engine share: their options, a question before danger, an answer."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cli.options import ConfigOption, JsonOption, VerboseOption, YesOption
from cli.remote import TargetOption, TlsCaOption, UserOption
from trading.errors import InputError

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from autotrader.v1 import common_pb2
    from tui.client import Client

Answer = TypeVar("Answer", bound="Message")
Body = Callable[..., Awaitable[int | None]]

MOST_ROWS = 1000
# A part of the engine that died is there again within seconds.
AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0)
COMMAND_SECONDS = 30.0


class Danger(NamedTuple):
    """What a person must type before it is done, and what it does."""

    word: str
    does: str


@dataclass(frozen=True)
class Shell:
    """One command line on one engine."""

    client: "Client"
    as_json: bool
    password: str

    async def give(self, method: Callable[..., Awaitable[Answer]], request: Any) -> Answer:
        """The answer of a command, which is done once: it is sent again with its id while the engine is away.

        Raises ClientError.
        """
        from cli.output import printable
        from tui.client import NoEngine, request_id

        request.request_id = request_id()
        for tries, pause in enumerate(AGAIN_SECONDS):
            try:
                return await method(request, timeout=COMMAND_SECONDS)
            except Exception as error:
                if not _is_away(error) or (isinstance(error, NoEngine) and not tries):
                    raise
                print(f"{printable(str(error))}; trying again", file=sys.stderr, flush=True)
            await asyncio.sleep(pause)
        return await method(request, timeout=COMMAND_SECONDS)

    async def pages(self, method: Callable[..., Awaitable[Any]], request: Any, rows: str, limit: int) -> Any:
        """One answer with at most `limit` rows, of as many pages as it takes; `rows` is their field."""
        whole = None
        while True:
            request.page.size = min(limit - (len(getattr(whole, rows)) if whole else 0), MOST_ROWS)
            answer = await method(request)
            if whole is None:
                whole = answer
            else:
                getattr(whole, rows).extend(getattr(answer, rows))
                whole.next_page_token = answer.next_page_token
            if not whole.next_page_token or len(getattr(whole, rows)) >= limit:
                return whole
            request.page.token = whole.next_page_token

    async def proof(self) -> "common_pb2.Reauthentication":
        """Who asks, shown once more: by the password of --user, or as the owner of this machine."""
        from autotrader.v1 import session_pb2

        await self.client.sessions.GetCaller(session_pb2.GetCallerRequest())
        return self.client.reauthentication(self.password)

    async def title(self, text: str) -> str:
        """A table's title that says whose money it is, and in which currency."""
        from autotrader.v1 import engine_pb2
        from tui.words import MODES

        status = (await self.client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
        return f"{text}: {MODES.get(status.mode, 'UNKNOWN')}, money in {status.quote}, times in UTC"

    def say(self, text: str) -> None:
        """A line for a person: on stdout, but beside a JSON document on stderr."""
        from cli.output import printable

        print(printable(text), file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def say_rest(self, answer: Any, rows: str, limit: int) -> None:
        """Under a table that does not show everything: how to see more."""
        if answer.next_page_token:
            self.say(f"these are the newest {len(getattr(answer, rows))}; --limit {2 * limit} shows more")

    def document(self, answer: "Message", **more: Any) -> None:
        """With --json: the answer as one document."""
        from cli.output import print_json
        from cli.remote import facts

        if self.as_json:
            print_json(facts(answer) | more)

    def told(self, answer: Any) -> None:
        """What came of a command."""
        self.document(answer)
        if not self.as_json:
            self.say(answer.result.message)


def engine_command(danger: Danger | None = None) -> Callable[[Body], Callable[..., int | None]]:
    """Makes a command of a coroutine function whose first parameter is the Shell.

    The command has the function's other parameters and the options of all such commands; a dangerous one has
    --yes too, and asks.
    """

    def decorate(body: Body) -> Callable[..., int | None]:
        @wraps(body)
        def command(**given: Any) -> int | None:
            shared = {name: given.pop(name) for name in _SHARED}
            if danger is not None and not given.pop("yes"):
                _ask(danger)
            return on_engine(
                lambda shell: body(shell, **given),
                shared["config"],
                shared["target"],
                shared["tls_ca"],
                shared["user"],
                shared["as_json"],
            )

        own = list(inspect.signature(body).parameters.values())[1:]
        asked = [_parameter("yes", YesOption, False)] if danger is not None else []
        shared = [_parameter(name, kind, usual) for name, (kind, usual) in _SHARED.items()]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        command.__signature__ = inspect.Signature([*parameters, *asked, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {}
        return command

    return decorate


def on_engine(
    work: Callable[[Shell], Awaitable[int | None]],
    config: Path | None,
    target: str | None = None,
    tls_ca: Path | None = None,
    user: str | None = None,
    as_json: bool = False,
) -> int | None:
    """Do the work on the engine that the options name. Raises AutotraderError, one sentence."""
    from cli.remote import sign_in_password, signed_in, with_engine

    password = "" if user is None else sign_in_password(user)

    async def act(client: "Client") -> int | None:
        async with signed_in(client, user, password):
            return await work(Shell(client, as_json, password))

    return with_engine(act, config, target, tls_ca)


_SHARED: dict[str, tuple[Any, Any]] = {
    "config": (ConfigOption, None),
    "target": (TargetOption, None),
    "tls_ca": (TlsCaOption, None),
    "user": (UserOption, None),
    "as_json": (JsonOption, False),
    "verbose": (VerboseOption, False),
}


def _parameter(name: str, kind: Any, usual: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=kind)


def _ask(danger: Danger) -> None:
    from cli.output import on_terminal

    if not on_terminal():
        raise InputError(f"--yes: is needed where nobody can be asked: this {danger.does}")
    print(f"This {danger.does}. Type {danger.word} to do it: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != danger.word:
        raise InputError(f"nothing was done: {danger.word} was not typed")


def _is_away(error: Exception) -> bool:
    import grpc

    from tui.client import ControlError, Unreachable

    unavailable = isinstance(error, ControlError) and error.code is grpc.StatusCode.UNAVAILABLE
    return unavailable or isinstance(error, Unreachable)
