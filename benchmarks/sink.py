"""The smallest server that answers every delete: what is left over is what the caller costs.

Run as a process of its own: prints its port, then answers until it is killed.
"""

from __future__ import annotations

import asyncio

BODY = b'{"code":0,"msg":"OK","requestId":"0","data":true}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Sink(asyncio.Protocol):
    """Reads requests with a Content-Length, one after another on a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._end()) is not None:
            self._data = self._data[end:]
            self._transport.write(REPLY)

    def _end(self) -> int | None:
        """Where the first request ends, None if it isn't whole yet."""
        head = self._data.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = self._data[:head].lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        end = head + 4 + int(length or 0)
        return end if len(self._data) >= end else None


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
