"""What the control plane needs to know about the engine that it stands beside."""

from msgspec import Struct

from control.listening import Listening
from trading.settings import Settings

CONTROL = "control"


class ControlSpec(Struct, frozen=True):
    """Where it listens, which stored run it shows, and under which settings the engine started.

    `settings` holds no secret; `changed` is what was changed at run time before, as JSON; `mode` is a
    TradingMode of the contract, `feed` says in words where candles come from. Runs are kept in
    `runs_folder` and read candles from `candles_folder`; `web_folder` holds the phone client's files, if
    it is there.
    """

    listening: Listening
    database_url: str
    run_id: int
    mode: int
    feed: str
    version: str
    settings: Settings
    changed: dict[str, str]
    runs_folder: str
    candles_folder: str
    web_folder: str


class Addresses(Struct, frozen=True):
    """Where the control plane listens, as HOST:PORT, and the credential file of the owner."""

    grpc: str
    web: str
    credential: str
