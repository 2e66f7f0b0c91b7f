"""The local exchange as a process of its own, for engines that run in other processes."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec

from tests.support.exchange.model import Truth

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS, CALL_SECONDS = 30.0, 30.0


class ExchangeProcess:
    """Starts the exchange with `setup`, keywords of LocalExchange, and speaks to it from synchronous code.

    Its files are in `folder`; as a context manager it ends the process.
    """

    def __init__(self, folder: Path, **setup: Any) -> None:
        ready, self.log = folder / "exchange.json", folder / "exchange.log"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.support.exchange", "--ready-file", str(ready)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--setup", msgspec.json.encode(setup).decode()], cwd=ROOT, stdout=log, stderr=log
            )
        ports = self._ports(ready)
        self.port: int = ports["port"]
        self._admin = f"http://127.0.0.1:{ports['admin_port']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of LocalExchange, such as `call("set_price", "BTC/USDT", "61000")`.

        Raises RuntimeError with its reason when that fails.
        """
        body = json.dumps({"method": method, "args": args, "kwargs": kwargs}, default=str).encode()
        return json.loads(self._ask(Request(f"{self._admin}/call", body)))

    def truth(self) -> Truth:
        """All that happened."""
        return msgspec.json.decode(self._ask(Request(f"{self._admin}/truth")), type=Truth)

    def ccxt_options(self) -> dict[str, Any]:
        """The `exchange.options` that lead ccxt's binanceus here."""
        options: dict[str, Any] = self.call("ccxt_options")
        return options

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def _ports(self, ready: Path) -> dict[str, int]:
        give_up = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.close()
                raise RuntimeError(f"the exchange did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)
        ports: dict[str, int] = json.loads(ready.read_text())
        return ports

    @staticmethod
    def _ask(request: Request) -> bytes:
        try:
            with urlopen(request, timeout=CALL_SECONDS) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            raise RuntimeError(error.read().decode()) from None
