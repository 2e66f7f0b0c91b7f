"""A bare grpc.aio server: what a call costs when nothing is around it.

Reads one line, {path: answer in hexadecimal}, says where it listens, and serves until stdin ends.
"""

import asyncio
import json
import sys

import grpc


class Bare(grpc.GenericRpcHandler):
    """Answers every method with the same bytes, whatever it is asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """The handler of a path."""
        found = self._answers.get(handler_call_details.method)
        if found is None:
            return None
        content = found

        async def answer(_request: bytes, _context: object) -> bytes:
            return content

        return grpc.unary_unary_rpc_method_handler(answer)


async def main() -> None:
    """Serve."""
    answers = {path: bytes.fromhex(text) for path, text in json.loads(sys.stdin.readline()).items()}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Bare(answers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps(f"127.0.0.1:{port}"), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main())
