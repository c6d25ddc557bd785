"""A gRPC proxy before the emulator that fails on purpose: before a commit is passed on, after it, or by being slow.

async with Faults(emulator.host) as faults:
    faults.next = ["lost"]     # one fault for each commit to come; then all is well again
"""

import asyncio
from typing import Any, Self

import grpc
import grpc.aio

STREAMS = ("RunQuery", "BatchGetDocuments", "RunAggregationQuery")
CODES = {
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "aborted": grpc.StatusCode.ABORTED,
    "lost": grpc.StatusCode.UNAVAILABLE,
}
SLOW_S = 60.0
MIB = 2**20


class Faults(grpc.GenericRpcHandler):
    """`next`: unavailable and aborted (not passed on), lost (passed on, its answer is not), slow."""

    def __init__(self, upstream: str) -> None:
        self.next: list[str] = []
        self.commits = 0
        self.host = ""
        self._upstream = upstream

    async def __aenter__(self) -> Self:
        options = [("grpc.max_receive_message_length", 16 * MIB)]
        self._channel = grpc.aio.insecure_channel(self._upstream, options=options)
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((self,))
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)
        await self._channel.close()

    def service(self, handler_call_details: Any) -> Any:
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        passed = [(key, value) for key, value in metadata if not key.startswith((":", "grpc-", "user-agent", "te"))]
        if method.endswith(STREAMS):

            async def stream(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> Any:
                try:
                    async for answer in self._channel.unary_stream(method)(request, metadata=passed):
                        yield answer
                except grpc.aio.AioRpcError as error:
                    await context.abort(error.code(), error.details() or "")

            return grpc.unary_stream_rpc_method_handler(stream)

        async def unary(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> Any:
            fault = ""
            if method.endswith("/Commit"):
                self.commits += 1
                fault = self.next.pop(0) if self.next else ""
            if fault == "slow":
                await asyncio.sleep(SLOW_S)
            if fault in ("unavailable", "aborted"):
                await context.abort(CODES[fault], "on purpose")
            try:
                answer = await self._channel.unary_unary(method)(request, metadata=passed)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            if fault == "lost":
                await context.abort(CODES[fault], "done, and its answer lost on purpose")
            return answer

        return grpc.unary_unary_rpc_method_handler(unary)
