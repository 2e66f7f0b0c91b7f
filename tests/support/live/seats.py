"""Actors in one process that die like processes: from one moment on, nothing gets in or out any more."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from actors.ports import ActorLost


class Points:
    """Counts what the actors ask and hear; at point `strike_at`, a number or a name, something happens, once.

    Each point's name goes to the file `trace` before.
    """

    def __init__(self, strike_at: int | str, strike: Callable[[], None], trace: str) -> None:
        self.passed, self.struck = 0, False
        self._strike_at, self._strike = strike_at, strike
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def reach(self, what: str) -> None:
        """Pass a point."""
        self.passed += 1
        os.write(self._trace, f"{what}\n".encode())
        if self._strike_at in (self.passed, what) and not self.struck:
            self.struck = True
            self._strike()


class Life:
    """One life of an actor."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hold_if_over(self) -> None:
        """The dead hear nothing, and do not go on."""
        if self.over.done():
            await asyncio.Event().wait()


class Seat:
    """Where an actor sits; after its death another one is made, as a supervisor would."""

    def __init__(self, name: str, make: Callable[[Life], Any], end: Callable[[Any], None]) -> None:
        self.name = name
        self._make, self._end = make, end
        self.life = Life()
        self.actor: Any = make(self.life)

    def die(self) -> None:
        """Die at once; the next one is there a moment later."""
        if self.actor is None:
            return
        actor, self.actor = self.actor, None
        self.life.over.set_result(None)
        self._end(actor)
        asyncio.get_running_loop().call_later(0.05, self._start)

    def _start(self) -> None:
        self.life = Life()
        self.actor = self._make(self.life)


class Door:
    """How one actor asks another: any method of it, or ActorLost when it dies meanwhile.

    `points` are counted around the methods in `counted`; a method with a bar (`news|`) only when it brings
    something.
    """

    def __init__(self, owner: Life, seat: Seat, points: Points, counted: str = "") -> None:
        self._owner, self._seat, self._points = owner, seat, points
        self._counted = counted.split()

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: Any) -> Any:
            return await self._ask(method, args)

        return ask

    async def _ask(self, method: str, args: tuple[Any, ...]) -> Any:
        what = f"{self._seat.name}.{method}{_subject(args)}"
        if method in self._counted:
            self._points.reach(f"{what} asked")
        await self._owner.hold_if_over()
        actor, life = self._seat.actor, self._seat.life
        if actor is None:
            raise ActorLost(f"{self._seat.name} died")
        task = asyncio.ensure_future(getattr(actor, method)(*args))
        await asyncio.wait({task, life.over, self._owner.over}, return_when=asyncio.FIRST_COMPLETED)
        await self._owner.hold_if_over()
        if life.over.done():
            raise ActorLost(f"{self._seat.name} died")
        told = task.result()
        if method in self._counted or (f"{method}|" in self._counted and told.reports):
            self._points.reach(f"{what} answered")
        await self._owner.hold_if_over()
        return told


class Wire:
    """An object outside the engine, as one life reaches it: counted, and out of reach after death."""

    def __init__(self, owner: Life, inner: Any, points: Points, counted: str) -> None:
        self._owner, self._inner, self._points = owner, inner, points
        self._counted = counted.split()

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._inner, method)
        if method not in self._counted:
            return inner

        async def ask(*args: Any) -> Any:
            what = f"exchange.{method}{_subject(args)}"
            self._points.reach(f"{what} asked")
            await self._owner.hold_if_over()
            told = await inner(*args)
            self._points.reach(f"{what} answered")
            await self._owner.hold_if_over()
            return told

        return ask


def _subject(args: tuple[Any, ...]) -> str:
    """What a question is about, in a word, where that is worth a word."""
    kinds = [f"{each.side} {each.kind}" for each in args if hasattr(each, "client_id")]
    entries = args[0] if args and isinstance(args[0], (tuple, list)) else ()
    kinds += [type(each.event).__name__ for each in entries if hasattr(each, "event")]
    kinds += ["cancel" for each in entries if getattr(each, "cancel", False)]
    return f" ({', '.join(kinds)})" if kinds else ""
