"""`python -m tests.support.exchange`: the local exchange as a process, with a second port for the test.

`POST /call` with `{"method": ..., "args": [...], "kwargs": {...}}` calls a method of LocalExchange;
`GET /truth` tells all that happened.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from tests.support.exchange.local import LocalExchange
from tests.support.exchange.model import Refusal


class Admin:
    """The test's door to the exchange."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.exchange = exchange

    async def call(self, http: web.Request) -> web.Response:
        """Call a method by its name; 400 with the reason when it fails."""
        call = await http.json()
        try:
            method = getattr(self.exchange, call["method"])
            result: Any = method(*call.get("args", ()), **call.get("kwargs", {}))
        except (Refusal, AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            return web.Response(status=400, text=repr(error))
        return web.Response(body=msgspec.json.encode(result), content_type="application/json")

    async def truth(self, _: web.Request) -> web.Response:
        """All that happened."""
        return web.Response(body=msgspec.json.encode(self.exchange.truth()), content_type="application/json")


async def _serve(args: argparse.Namespace) -> None:
    exchange = await LocalExchange(**json.loads(args.setup)).start(args.port)
    admin, app = Admin(exchange), web.Application()
    app.router.add_post("/call", admin.call)
    app.router.add_get("/truth", admin.truth)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", args.admin_port).start()
    ready = {"port": exchange.port, "admin_port": runner.addresses[0][1]}
    beside = args.ready_file.with_suffix(".new")
    beside.write_text(json.dumps(ready))
    beside.replace(args.ready_file)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--admin-port", type=int, default=0)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--setup", default="{}", help="keywords of LocalExchange, as JSON")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
