"""What happens around every call, in one place: who calls, may they, is the request sound; a command once;
a stream for as long as its reader reads; and every error as a status, never as a trace."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError, Message

from autotrader.v1 import access_pb2
from control.caller import Caller, called_by
from control.checks import check_request
from control.commands import Commands
from control.contract import FOREIGN, METHODS, Method
from control.faults import Fault, denied, exhausted, fault_of, status_of, unauthenticated
from trading.errors import AutotraderError

UNARY_SECONDS = 30.0
READ_SECONDS = 10.0
DRAIN_SECONDS = 1.0
WRITE_SECONDS = 5.0
MOST_STRANGERS = 100
MOST_OF_ACCOUNT = 300
TOKEN_CHECK_SECONDS = 2.0
BEARER = "bearer "

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Any]
Parse = Callable[[bytes], Message]


class Identity(Protocol):
    """Knows callers by their access tokens."""

    def caller_of(self, access_token: str, address: str) -> Caller:
        """Who this token is of. Raises Fault UNAUTHENTICATED."""
        ...

    def alive(self, caller: Caller) -> bool:
        """Whether the caller's token and session have not ended."""
        ...


class Calls(grpc.aio.ServerInterceptor):
    """Wraps every method of the server. `unexpected` hears of errors that nobody foresaw, with the method.

    A request must come within 10 seconds, a unary call takes at most 30; a message of a stream that is not
    read for 5 ends its stream. At most 300 calls at once are of one account, and at most 100 of callers who
    are not signed in.
    """

    def __init__(
        self,
        identity: Identity,
        commands: Commands,
        unexpected: Callable[[str, Exception], Awaitable[None]],
    ) -> None:
        self._identity = identity
        self._commands = commands
        self._unexpected = unexpected
        self._under_way: Counter[str] = Counter()

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """The method's handler, wrapped; None for a method that nobody has, or that states nothing.

        Every request is read as a stream of raw bytes: who is not known is refused before it is read, who
        sends none holds no call, and bytes that are no message are refused like any other bad argument.
        """
        handler = await continuation(details)
        method = METHODS.get(details.method) or FOREIGN.get(details.method)
        if handler is None or method is None:
            return None
        parse, serializer = handler.request_deserializer, handler.response_serializer
        if handler.request_streaming:
            tell = self._stream(method, handler.stream_stream, None)
            return grpc.stream_stream_rpc_method_handler(tell, parse, serializer)
        if handler.response_streaming:
            tell = self._stream(method, handler.unary_stream, parse)
            return grpc.stream_stream_rpc_method_handler(tell, None, serializer)
        answer = self._unary(method, handler.unary_unary, parse)
        return grpc.stream_unary_rpc_method_handler(answer, None, serializer)

    def _unary(self, method: Method, behaviour: Behaviour, parse: Parse) -> Behaviour:
        async def answer(_requests: Any, context: Context) -> Message | None:
            try:
                who = self._admit(method, context)
                with self._place(who):
                    request = await _received(context, parse)
                    async with asyncio.timeout(UNARY_SECONDS):
                        if method.command and who is not None:
                            return await self._commands.once(
                                method, who, request, lambda: behaviour(request, context)
                            )
                        response: Message = await behaviour(request, context)
                        return response
            except Exception as error:
                await self._refuse(method, context, error)
                return None

        return answer

    def _stream(self, method: Method, behaviour: Behaviour, parse: Parse | None) -> Behaviour:
        async def tell(requests: Any, context: Context) -> None:
            try:
                who = self._admit(method, context)
                with self._place(who):
                    request = requests if parse is None else await _received(context, parse)
                    await self._pump(behaviour(request, context), who, context)
            except Exception as error:
                if parse is None:
                    await _drain(context)
                await self._refuse(method, context, error)

        return tell

    async def _pump(
        self, messages: AsyncGenerator[Message, None], who: Caller | None, context: Context
    ) -> None:
        """Write what comes, while the caller's token lasts and its reader reads."""
        coming: asyncio.Future[Message] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(messages))
                done, _ = await asyncio.wait({coming}, timeout=TOKEN_CHECK_SECONDS)
                if who is not None and not self._identity.alive(who):
                    raise unauthenticated("TOKEN_EXPIRED", "the access token or its session has ended")
                if not done:
                    continue
                try:
                    message = coming.result()
                except StopAsyncIteration:
                    return
                coming = None
                await _write(context, message)
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait({coming})
            await messages.aclose()

    @contextmanager
    def _place(self, who: Caller | None) -> Iterator[None]:
        """A place among the calls under way: nobody can take all of them."""
        name, most = ("", MOST_STRANGERS) if who is None else (who.name, MOST_OF_ACCOUNT)
        if self._under_way[name] >= most:
            raise exhausted("TOO_MANY_CALLS", f"{most} calls are under way; wait 1 second and try again")
        self._under_way[name] += 1
        try:
            yield
        finally:
            self._under_way[name] -= 1
            if not self._under_way[name]:
                del self._under_way[name]

    def _admit(self, method: Method, context: Context) -> Caller | None:
        """Who calls, if they may; None for a public method."""
        if method.public:
            return None
        metadata = dict(context.invocation_metadata() or ())
        who = self._identity.caller_of(_token(metadata), address_of(context))
        if method.role == access_pb2.ROLE_UNSPECIFIED or who.role < method.role:
            wanted = access_pb2.Role.Name(method.role).removeprefix("ROLE_").lower()
            raise denied(f"{method.short} needs the role {wanted}; {who.name} does not have it")
        called_by(who)
        return who

    async def _refuse(self, method: Method, context: Context, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, grpc.aio.InternalError):
            return  # The connection broke while something was written: nobody is there to be told.
        if isinstance(error, AutotraderError):
            error = fault_of(error)
        elif isinstance(error, TimeoutError):
            error = Fault(
                grpc.StatusCode.DEADLINE_EXCEEDED, "TOO_SLOW", f"no answer within {UNARY_SECONDS:g} s"
            )
        if not isinstance(error, Fault):
            await self._unexpected(method.short, error)
            error = Fault(grpc.StatusCode.INTERNAL, "UNEXPECTED", "an unexpected error; the log says more")
        await context.abort_with_status(status_of(error))


async def _drain(context: Context) -> None:
    """Take in what a caller who streams is sending: refused in the middle of it, it would not hear why."""
    with suppress(TimeoutError, grpc.aio.BaseError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await context.read()


async def _received(context: Context, parse: Parse) -> Message:
    """The one request of a call, checked."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            raw = await context.read()
    except TimeoutError:
        sentence = f"the request did not come within {READ_SECONDS:g} s"
        raise Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "TOO_SLOW", sentence) from None
    try:
        if raw is grpc.aio.EOF:
            raise DecodeError
        request = parse(raw)
    except DecodeError:
        sentence = "the request is not a message of this method"
        raise Fault(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST", sentence) from None
    check_request(request)
    return request


async def _write(context: Context, message: Message) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await context.write(message)
    except TimeoutError:
        raise exhausted("TOO_SLOW", f"the caller did not read for {WRITE_SECONDS:g} s") from None


def address_of(context: Context) -> str:
    """From where a call comes: an IP address, that of the browser behind the door, or "this machine"."""
    kind, _, rest = context.peer().partition(":")
    if kind == "unix":
        forwarded = dict(context.invocation_metadata() or ()).get("x-forwarded-for", "")
        return str(forwarded) or "this machine"
    host = rest.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]").strip("[]")
    return host or "unknown"


def from_this_machine(context: Context) -> bool:
    """Whether a call comes from a program on this machine, and not through the door."""
    if "x-forwarded-for" in dict(context.invocation_metadata() or ()):
        return False
    address = address_of(context)
    if address == "this machine":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _token(metadata: dict[str, Any]) -> str:
    value = metadata.get("authorization", "")
    if not isinstance(value, str) or not value.lower().startswith(BEARER):
        raise unauthenticated("TOKEN_MISSING", "sign in first: the call has no access token")
    return value[len(BEARER) :].strip()
