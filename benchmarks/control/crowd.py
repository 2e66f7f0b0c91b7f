"""Many subscribers in one process, over few connections, each counting the messages that it gets.

Reads {"target", "token", "subscribers"}, answers when each has its first message; at the next line answers
with the seconds since then, how many messages each got, and how the streams ended that did.
"""

import asyncio
import json
import sys
import time

import grpc

from autotrader.v1 import event_pb2, event_pb2_grpc
from benchmarks.control.engine import channel_to
from benchmarks.control.events import TOPICS
from tui.client.calls import bearer

CHANNELS = 4
PAUSE_SECONDS = 0.05
LOOK_SECONDS = 0.05


class Crowd:
    """The subscribers: messages by each, and the codes of ended streams."""

    def __init__(self, target: str, token: str, subscribers: int) -> None:
        self.messages = [0] * subscribers
        self.ended: list[str] = []
        self._metadata = bearer(token)
        self._channels = [channel_to(target) for _ in range(CHANNELS)]
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self) -> None:
        """Subscribe one after the other, until each has a message or has lost its stream."""
        for number in range(len(self.messages)):
            self._tasks.append(asyncio.create_task(self._listen(number)))
            await asyncio.sleep(PAUSE_SECONDS)
        while self.messages.count(0) > len(self.ended):
            await asyncio.sleep(LOOK_SECONDS)

    async def go(self) -> None:
        """End all streams."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    async def _listen(self, number: int) -> None:
        stub = event_pb2_grpc.EventServiceStub(self._channels[number % CHANNELS])
        call = stub.Subscribe(event_pb2.SubscribeRequest(topics=TOPICS), metadata=self._metadata)
        try:
            async for _ in call:
                self.messages[number] += 1
            self.ended.append("OK")
        except grpc.aio.AioRpcError as error:
            self.ended.append(error.code().name)


async def main() -> None:
    """Come, stay until the next line, go."""
    crowd = Crowd(**json.loads(sys.stdin.readline()))
    await crowd.come()
    before, since = list(crowd.messages), time.monotonic()
    print(json.dumps(len(before)), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    messages = [now - then for now, then in zip(crowd.messages, before, strict=True)]
    answer = {"seconds": time.monotonic() - since, "messages": messages, "ended": crowd.ended}
    print(json.dumps(answer), flush=True)
    await crowd.go()


if __name__ == "__main__":
    asyncio.run(main())
