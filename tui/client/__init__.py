"""A client of the control plane, for the console, the shell commands and scripts.

    from autotrader.v1 import engine_pb2
    from tui.client import connect

    async with connect("127.0.0.1:50051") as client:
        answer = await client.engine.GetStatus(engine_pb2.GetStatusRequest())

`client.engine`, `client.portfolio`, ... are the services of `autotrader.v1` with their generated types.
Each call carries the access token and a deadline, signs in anew once when the token has ended, and raises a
`ClientError`.
"""

import os

# Whatever gRPC's core has to say would land in the middle of the console.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from tui.client.client import Client, connect, request_id
from tui.client.errors import (
    BadCredentials,
    BadTarget,
    ClientError,
    ControlError,
    NoEngine,
    SignInNeeded,
    Unreachable,
)
from tui.client.subscription import Back, Lost, Subscribed
from tui.client.target import Target, find_target

__all__ = [
    "Back",
    "BadCredentials",
    "BadTarget",
    "Client",
    "ClientError",
    "ControlError",
    "Lost",
    "NoEngine",
    "SignInNeeded",
    "Subscribed",
    "Target",
    "Unreachable",
    "connect",
    "find_target",
    "request_id",
]
