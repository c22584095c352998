"""Everything that a network, a gateway or somebody in between can do to a call, with real sockets."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import tracemalloc

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.gateway.api import NoTurn
from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import Bearer
from bulkstate.model import Absence, Answer, Attempt, Chunk
from tests.gateway.servers import (
    CHUNK,
    DELETED,
    ORG,
    TOKEN,
    Answering,
    Gate,
    Seen,
    client,
    gateway,
    http,
    listening,
    saying,
    then_closing,
)
from tests.waiting import PATIENCE

pytestmark = pytest.mark.anyio

PAGE = b'{"code":0,"data":{"count":0,"pipelines":[]}}'
MEBIBYTE = 1024 * 1024
BOMB = gzip.compress(bytes(100 * MEBIBYTE))


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


async def resetting(seen: Seen, writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionError


async def closing_half(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await asyncio.sleep(5)


async def dribbling(seen: Seen, writer: asyncio.StreamWriter) -> None:
    for byte in http(DELETED):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def breaking_later(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(chunked(DELETED))
    await asyncio.sleep(0.05)
    writer.write(b"zz\r\n")


def endless(head: bytes, more: bytes) -> Answering:
    """A head that goes on until nobody listens any more."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(more)
            await writer.drain()

    return answer


LOST = "the connection was lost before a whole answer came"
CUT = "the answer was cut off"
NOT_HTTP = "the answer isn't HTTP"
LATE = "no whole answer within 0.4 s"
OUT_OF_ORDER = "the connection held more answers than requests: this one may be another's"

UNANSWERED: dict[str, tuple[Answering, str]] = {
    "closed at once": (then_closing(b""), LOST),
    "reset": (resetting, LOST),
    "half-closed": (closing_half, LOST),
    "closed inside the headers": (then_closing(b"HTTP/1.1 200 OK\r\nContent-Le"), LOST),
    "length cut": (then_closing(http(DELETED)[:-1]), CUT),
    "chunks cut": (then_closing(chunked(DELETED)), CUT),
    "chunk size isn't hexadecimal": (saying(chunked(DELETED) + b"zz\r\n"), NOT_HTTP),
    "chunks break off later": (breaking_later, LATE),
    "two lengths": (saying(http(DELETED, "200 OK", "Content-Length: 7")), NOT_HTTP),
    "another protocol": (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), NOT_HTTP),
    "a header of 300 KB": (saying(http(DELETED, "200 OK", f"X-Long: {'x' * 300_000}")), NOT_HTTP),
    "a header that never ends": (endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65_536), NOT_HTTP),
    "headers that never end": (endless(b"HTTP/1.1 200 OK\r\n", b"X-One: more\r\n" * 90), NOT_HTTP),
    "a first line that never ends": (endless(b"HTTP/1.1 200 ", b"x" * 65_536), NOT_HTTP),
    "interim answers that never end": (
        endless(b"", b"HTTP/1.1 103 Early\r\nX: " + b"y" * 60_000 + b"\r\n\r\n"),
        NOT_HTTP,
    ),
    "two answers at once": (saying(http(DELETED) + http(DELETED)), OUT_OF_ORDER),
    "an answer and the beginning of another": (saying(http(DELETED) + b"garbage"), NOT_HTTP),
    "silence": (saying(b""), LATE),
    "silence after the headers": (saying(http(DELETED)[: -len(DELETED)]), LATE),
    "a byte at a time": (dribbling, LATE),
}


@pytest.mark.parametrize("kind", UNANSWERED)
async def test_no_whole_answer_leaves_the_delete_unanswered(kind: str) -> None:
    answer, message = UNANSWERED[kind]
    gate = Gate()
    timeout = 0.4 if message == LATE else PATIENCE
    async with gateway(answer) as server, client(server.url, gate=gate, timeout=timeout) as api:
        attempt = await api.delete(CHUNK)
    reply = attempt.reply
    assert (reply.answer, reply.status, reply.code, reply.data) == (Answer.UNANSWERED, None, None, None)
    assert reply.message == message
    assert (len(server.seen), gate.passed) == (1, 1)
    assert attempt.seconds < 4


async def test_after_a_failure_the_next_call_has_a_new_connection() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(http(DELETED)[:-1] if len(server.seen) == 1 else http(DELETED))
        if len(server.seen) == 1:
            raise ConnectionError

    async with gateway(answer) as server, client(server.url) as api:
        assert (await api.delete(CHUNK)).reply.answer is Answer.UNANSWERED
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    assert server.connections == 2


@pytest.mark.parametrize("call", ["delete", "pipelines"])
@pytest.mark.parametrize("dead_for_good", [False, True])
async def test_what_went_out_on_a_dead_kept_connection_goes_again_once_in_its_own_turn(
    call: str, dead_for_good: bool
) -> None:
    """Each request on the wire has passed the gate."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) == 2 or (dead_for_good and len(server.seen) > 1):
            raise ConnectionError
        writer.write(http(DELETED) if "delete" in seen.path else http(PAGE))

    gate = Gate()
    async with gateway(answer) as server, client(server.url, gate=gate) as api:
        await api.delete(CHUNK)
        attempt = await (api.delete(CHUNK) if call == "delete" else api.pipelines(1))
    assert (len(server.seen), server.connections, gate.passed) == (3, 2, 3)
    assert attempt.reply.answer is (Answer.UNANSWERED if dead_for_good else Answer.OK)
    assert attempt.reply.absence is (Absence.SILENT if dead_for_good else None)
    assert attempt.reply.resent
    assert gate.ended == [Answer.OK, Answer.UNANSWERED, attempt.reply.answer]


async def test_while_every_delete_fails_a_probe_is_one_call() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) > 1:
            raise ConnectionError
        writer.write(http(DELETED))

    gate = Gate()
    async with gateway(answer) as server, client(server.url, gate=gate) as api:
        await api.delete(CHUNK)
        gate.failing = True
        attempt = await api.delete(CHUNK)
    assert (attempt.reply.answer, attempt.reply.absence) == (Answer.UNANSWERED, Absence.STALE)
    assert (len(server.seen), gate.passed) == (2, 2)


async def test_a_call_whose_second_turn_never_comes_may_have_arrived() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) > 1:
            raise ConnectionError
        writer.write(http(DELETED))

    async def turn() -> None:
        if gate.passed > 2:
            raise NoTurn

    gate = Gate(turn)
    async with gateway(answer) as server, client(server.url, gate=gate) as api:
        await api.delete(CHUNK)
        attempt = await api.delete(CHUNK)
    assert attempt.reply.answer is Answer.UNANSWERED


async def test_a_gateway_that_closes_after_every_answer_unannounced_costs_no_attempt() -> None:
    """Whether the end of the connection is seen before it is used again is a race: here it is always lost."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if writer in used:
            raise ConnectionError
        used.append(writer)
        writer.write(http(DELETED))

    used: list[asyncio.StreamWriter] = []
    async with gateway(answer) as server, client(server.url) as api:
        assert {(await api.delete(CHUNK)).reply.answer for _ in range(20)} == {Answer.OK}


async def test_where_one_kept_connection_is_dead_the_others_are_not_tried() -> None:
    restarted = False

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if restarted and writer in before:
            raise ConnectionError
        if not restarted:
            before.append(writer)
            await asyncio.sleep(0.05)
        writer.write(http(DELETED))

    before: list[asyncio.StreamWriter] = []
    async with gateway(answer) as server, client(server.url) as api:
        await asyncio.gather(*(api.delete(CHUNK) for _ in range(5)))
        restarted = True
        assert {(await api.delete(CHUNK)).reply.answer for _ in range(5)} == {Answer.OK}
    assert len(server.seen) == 5 + 1 + 5


GOOD = [
    http(DELETED),
    chunked(DELETED, b""),
    b"HTTP/1.0 200 OK\r\n\r\n" + DELETED,
    http(DELETED, "200 OK", "Content-Encoding: gzip"),
    http(gzip.compress(DELETED), "200 OK", "Content-Encoding: gzip"),
    http(PAGE, "429 Too Many Requests", "Retry-After: 1", "RateLimit: limit=1, remaining=0, reset=1"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"[" * 2_000, "500 Internal Server Error"),
    http(b"", "302 Found", "Location: https://[::1/x"),
]


@given(data=st.data())
def test_no_bytes_whatever_make_a_call_raise(data: st.DataObject) -> None:
    """A good answer with some of its bytes replaced, and cut in two."""
    good = data.draw(st.sampled_from(GOOD))
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 20)))
    answer = good[:start] + data.draw(st.binary(max_size=12)) + good[end:]
    pause = data.draw(st.integers(0, len(answer)))

    async def answering(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(answer[:pause])
        await writer.drain()
        await asyncio.sleep(0.001)
        writer.write(answer[pause:])
        await writer.drain()
        raise ConnectionError

    async def calls() -> list[Attempt[object]]:
        async with gateway(answering) as server, client(server.url, timeout=0.2) as api:
            return list(await asyncio.gather(api.delete(CHUNK), api.get(CHUNK), api.pipelines(1)))

    for attempt in anyio.run(calls):
        reply = attempt.reply
        assert (reply.data is not None) == (reply.answer is Answer.OK)
        assert reply.absence is None or reply.answer is Answer.UNANSWERED
        assert reply.message.isprintable()
        assert len(reply.message) <= 200


# ── no connection ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refused_connection_is_unreached() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        async with client(f"http://127.0.0.1:{port}") as api:
            attempts = [await api.delete(CHUNK), await api.pipelines(1)]
    for attempt in attempts:
        assert attempt.reply.answer is Answer.UNREACHED
        assert attempt.reply.message.startswith(f"no connection to 127.0.0.1:{port}: ")


async def test_an_unknown_host_is_unreached() -> None:
    async with client("http://gateway.invalid") as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.answer is Answer.UNREACHED
    assert reply.message.startswith("no connection to gateway.invalid:80: ")


async def test_a_connection_that_never_stands_is_unreached() -> None:
    """A full backlog: the kernel lets further connections hang."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for peer in waiting:
                peer.setblocking(False)
                peer.connect_ex(address)
            async with client(f"http://127.0.0.1:{address[1]}", timeout=0.4) as api:
                attempt = await api.delete(CHUNK)
        finally:
            for peer in waiting:
                peer.close()
    assert (attempt.reply.answer, attempt.reply.message) == (Answer.UNREACHED, "no connection in time")


async def test_plain_http_where_tls_was_expected_is_unreached() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(http(b"", "400 Bad Request"))

    async with listening(refuse) as port, client(f"https://127.0.0.1:{port}") as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.answer is Answer.UNREACHED
    assert reply.message.startswith(f"no connection to 127.0.0.1:{port}: ")


# ── too much ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Flood:
    """Answers with `size` bytes, and knows how many of them anybody took."""

    def __init__(self, size: int, head: bytes) -> None:
        self.size = size
        self.head = head
        self.taken = 0
        self.cut = asyncio.Event()

    async def answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(self.head)
        piece = b" " * 65536
        try:
            while self.taken < self.size:
                writer.write(b"10000\r\n" + piece + b"\r\n" if b"chunked" in self.head else piece)
                await writer.drain()
                self.taken += len(piece)
        except ConnectionError:
            self.cut.set()
            raise


def flood(size: int, *, in_chunks: bool, status: str = "200 OK") -> Flood:
    framing = "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {size}"
    return Flood(size, f"HTTP/1.1 {status}\r\n{framing}\r\n\r\n".encode())


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_delete_reply_is_read_up_to_one_mebibyte(in_chunks: bool) -> None:
    endless = flood(32 * MEBIBYTE, in_chunks=in_chunks)
    async with gateway(endless.answer) as server, client(server.url) as api:
        reply = (await api.delete(CHUNK)).reply
        assert reply.answer is Answer.UNAVAILABLE
        assert reply.message == "the answer is over 1 MiB; the rest was not read"
        await asyncio.wait_for(endless.cut.wait(), PATIENCE)
    assert endless.taken < 16 * MEBIBYTE  # one, and what the kernel keeps between two sockets


async def test_a_long_answer_still_means_what_its_status_says() -> None:
    endless = flood(2 * MEBIBYTE, in_chunks=False, status="429 Too Many Requests")
    async with gateway(endless.answer) as server, client(server.url) as api:
        reply = (await api.delete(CHUNK)).reply
    assert (reply.answer, reply.status) == (Answer.THROTTLED, 429)


async def test_a_get_reply_over_64_mebibytes_is_too_large() -> None:
    endless = flood(65 * MEBIBYTE, in_chunks=False)
    async with gateway(endless.answer) as server, client(server.url, timeout=30) as api:
        reply = (await api.get(CHUNK)).reply
    assert reply.answer is Answer.TOO_LARGE
    assert reply.message == "the answer is over 64 MiB; the rest was not read"


async def test_a_get_reply_of_several_mebibytes_is_read() -> None:
    items = b",".join(b'{"assetId":"a%d","pointId":"p"}' % i for i in range(50_000))
    large = Chunk(0, CHUNK.stage, tuple(f"a{number}" for number in range(50_000)), ("p",))
    async with gateway(saying(http(b'{"code":0,"data":[%s]}' % items))) as server, client(server.url) as api:
        reply = (await api.get(large)).reply
    assert reply.answer is Answer.OK
    assert reply.data is not None
    assert len(reply.data) == 50_000


async def test_a_zip_bomb_is_not_inflated() -> None:
    async with gateway(saying(http(BOMB, "200 OK", "Content-Encoding: gzip"))) as server, client(server.url) as api:
        tracemalloc.start()
        try:
            reply = (await api.get(CHUNK)).reply
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert reply.answer is Answer.UNAVAILABLE
    assert reply.message == "the gateway compressed its answer though it was asked not to"
    assert peak < 8 * MEBIBYTE


# ── odd answers ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http(b"", "204 No Content"), Answer.UNAVAILABLE),
        (http(b"<html>Bad Gateway</html>", "502 Bad Gateway"), Answer.UNAVAILABLE),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Answer.UNAVAILABLE),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(DELETED), Answer.OK),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + http(DELETED), Answer.OK),
        (http(DELETED, "200 OK", f"X-Long: {'x' * 200_000}"), Answer.OK),
        (http(DELETED, "200 OK", *(f"X-{number}: {'y' * 100}" for number in range(900))), Answer.OK),
        (http(b"", "408 Request Timeout"), Answer.UNANSWERED),
        (http(b"no", "418 I'm a Teapot"), Answer.UNDECIDED),
        (http(DELETED, "200 OK", "Connection: close"), Answer.OK),
        (http(b"", "413 Request Entity Too Large"), Answer.TOO_LARGE),
        (http(b"", "401 Unauthorized"), Answer.CREDENTIALS),
        (http(b"", "403 Forbidden"), Answer.GATEWAY_REFUSED),
        (http(b"", "304 Not Modified"), Answer.GATEWAY_REFUSED),
    ],
)
async def test_odd_answers(answer: bytes, expected: Answer) -> None:
    async with gateway(saying(answer)) as server, client(server.url) as api:
        replies = [(await api.delete(CHUNK)).reply for _ in range(2)]
    assert [reply.answer for reply in replies] == [expected, expected]


async def test_an_answer_before_the_whole_body_was_taken_is_heard() -> None:
    """A gateway may refuse a large body by its headers alone, and close."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(b"", "413 Request Entity Too Large", "Connection: close"))
        await writer.drain()
        await asyncio.sleep(1)

    large = Chunk(0, CHUNK.stage, tuple(f"{number:08}" for number in range(1_000_000)), ("p",))
    async with listening(refuse) as port, client(f"http://127.0.0.1:{port}") as api:
        reply = (await api.delete(large)).reply
    assert reply.answer is Answer.TOO_LARGE


async def test_a_body_of_several_mebibytes_arrives_whole() -> None:
    large = Chunk(0, CHUNK.stage, tuple(f"{number:08}" for number in range(300_000)), ("p",))
    async with gateway(saying(http(DELETED))) as server, client(server.url) as api:
        attempts = [await api.delete(large), await api.delete(large)]
    assert [attempt.reply.answer for attempt in attempts] == [Answer.OK, Answer.OK]
    assert {len(seen.body) for seen in server.seen} == {attempts[0].body_bytes}
    assert attempts[0].body_bytes > 2 * MEBIBYTE
    assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with gateway(then_closing(b"HTTP/1.0 200 OK\r\n\r\n" + DELETED)) as server, client(server.url) as api:
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    """Out of step by one, a chunk that was refused would be counted as deleted."""
    said_again = asyncio.Event()

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(http(DELETED))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(http(DELETED))
        said_again.set()

    async with gateway(answer) as server, client(server.url) as api:
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
        await said_again.wait()
        await asyncio.sleep(0.05)
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    assert (server.connections, len(server.seen)) == (2, 2), "where bytes lie unread nothing is sent"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_never_followed(status: str) -> None:
    async with gateway(saying(http(DELETED))) as elsewhere:
        location = f"Location: {elsewhere.url}/login?token={TOKEN}"
        async with gateway(saying(http(b"", status, location))) as server, client(server.url) as api:
            replies = [(await api.delete(CHUNK)).reply, (await api.pipelines(1)).reply]
    for reply in replies:
        assert reply.answer is Answer.GATEWAY_REFUSED
        assert reply.message == "a redirect to 127.0.0.1; redirects are never followed"
    assert (elsewhere.connections, len(server.seen)) == (0, 2)


@pytest.mark.parametrize("location", ["", "/login", "http://[", "https://\x7f:x/", "javascript:alert(1)"])
async def test_a_redirect_to_nowhere_is_one_too(location: str) -> None:
    async with (
        gateway(saying(http(b"", "302 Found", f"Location: {location}"))) as server,
        client(server.url) as api,
    ):
        reply = (await api.delete(CHUNK)).reply
    assert reply.answer in (Answer.GATEWAY_REFUSED, Answer.UNANSWERED)
    assert reply.message.isprintable()


async def test_a_cancelled_call_leaves_no_connection_behind() -> None:
    async with gateway(saying(b"")) as server, client(server.url) as api:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(api.delete(CHUNK), 0.1)
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gateway",
        "ftp://gateway",
        "https://",
        "https://me:pass@gateway",
        "https://g/?a=1",
        "https://g/#a",
        "http://g/a b",
    ],
)
def test_an_address_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"gateway\.url"):
        Client(url, ORG, Bearer("t"), Gate())
