"""Following the engine's stream at a shell."""

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from autotrader.v1 import event_pb2
    from cli.engine_command import Shell


async def messages(
    shell: "Shell", topic: "event_pb2.Topic.ValueType"
) -> "AsyncIterator[event_pb2.SubscribeResponse]":
    """What the stream tells, for ever; on stderr when the engine goes away and when it is back.

    The first message is waited for: an engine that is not there at the start raises NoEngine.
    """
    from autotrader.v1 import engine_pb2
    from cli.output import printable
    from tui.client import Back, Lost

    await shell.client.engine.GetStatus(engine_pb2.GetStatusRequest())
    async for update in shell.client.subscribe([topic]):
        if isinstance(update, Lost):
            print(printable(f"{update.reason}; waiting for it"), file=sys.stderr, flush=True)
        elif isinstance(update, Back):
            print("the engine is back", file=sys.stderr, flush=True)
        else:
            yield update


def print_line(shell: "Shell", message: "Message", line: str) -> None:
    """One line: the words, or with --json the message as a document of one line."""
    from google.protobuf.json_format import MessageToJson

    from cli.output import printable

    if shell.as_json:
        line = MessageToJson(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
        )
    print(printable(line), flush=True)
