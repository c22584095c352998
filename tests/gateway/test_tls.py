"""Whom the client trusts, and through whom it speaks. The certificates lie beside this file and last until 2120."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bulkstate.errors import InputError
from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import Bearer
from bulkstate.model import Answer
from tests.gateway.servers import CHUNK, DELETED, HERE, ORG, TOKEN, Gate, close, gateway, http, listening, saying

pytestmark = pytest.mark.anyio

AUTHORITY = "# Behörde für Tests\n" + (HERE / "authority.pem").read_text()


@pytest.fixture
def tls() -> ssl.SSLContext:
    """A server for 127.0.0.1, signed by an authority that no system knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "server.pem")
    return context


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def client(url: str, ca_pem: str | None = AUTHORITY) -> Client:
    return Client(url, ORG, Bearer(TOKEN), Gate(), timeout=5.0, ca_pem=ca_pem)


async def test_an_unknown_authority_stops_the_run(tls: ssl.SSLContext) -> None:
    async with gateway(saying(http(DELETED)), tls) as server, client(server.url, None) as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.answer is Answer.GATEWAY_REFUSED
    assert reply.message.startswith(f"the certificate of 127.0.0.1:{server.port} can't be trusted: ")
    assert "gateway.ca_file" in reply.message
    assert server.seen == []


async def test_an_own_authority_is_trusted_when_named(tls: ssl.SSLContext) -> None:
    async with gateway(saying(http(DELETED)), tls) as server, client(server.url) as api:
        replies = [(await api.delete(CHUNK)).reply for _ in range(3)]
    assert {reply.answer for reply in replies} == {Answer.OK}
    assert server.connections == 1


async def test_a_certificate_for_another_name_is_not_trusted(tls: ssl.SSLContext) -> None:
    async with (
        gateway(saying(http(DELETED)), tls) as server,
        client(server.url.replace("127.0.0.1", "localhost")) as api,
    ):
        reply = (await api.delete(CHUNK)).reply
    assert reply.answer is Answer.GATEWAY_REFUSED
    assert "mismatch" in reply.message
    assert server.seen == []


@pytest.mark.parametrize(
    "text", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ü"]
)
def test_an_authority_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match=r"gateway\.ca_file"):
        client("https://127.0.0.1", text)


# ── proxies ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Proxy:
    """Answers CONNECT with `status`; on 200 it carries bytes to wherever was asked for."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if self.status.startswith("200"):
            host, _, port = head.split(b" ")[1].partition(b":")
            there, back = await asyncio.open_connection(host.decode(), int(port))
            await asyncio.gather(_carry(reader, back), _carry(there, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        await close(writer)


@asynccontextmanager
async def proxy(monkeypatch: pytest.MonkeyPatch, status: str = "200 OK") -> AsyncIterator[Proxy]:
    ours = Proxy(status)
    async with listening(ours.serve) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:canary-proxy-password@127.0.0.1:{port}")
        yield ours


async def test_the_proxy_of_the_environment_carries_tls_and_sees_no_credentials(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        gateway(saying(http(DELETED)), tls) as server,
        proxy(monkeypatch) as between,
        client(server.url) as api,
    ):
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    (head,) = between.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic bWU6Y2FuYXJ5LXByb3h5LXBhc3N3b3Jk\r\n" in head
    assert TOKEN.encode() not in head
    assert "proxy-authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("407 Proxy Authentication Required", Answer.GATEWAY_REFUSED),
        ("403 Forbidden", Answer.GATEWAY_REFUSED),
        ("502 Bad Gateway", Answer.UNREACHED),
    ],
)
async def test_a_proxy_that_does_not_connect(status: str, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy(monkeypatch, status), client("https://127.0.0.1:1") as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.answer is answer
    assert status[:3] in reply.message
    assert "canary" not in reply.message


async def test_plain_http_and_no_proxy_hosts_are_called_directly(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(monkeypatch) as between:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        async with gateway(saying(http(DELETED))) as server, client(server.url) as api:
            assert (await api.delete(CHUNK)).reply.answer is Answer.OK
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with gateway(saying(http(DELETED)), tls) as server, client(server.url) as api:
            assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    assert between.heads == []


async def test_a_netrc_file_is_never_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary-netrc-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with gateway(saying(http(DELETED))) as server, client(server.url) as api:
        await api.delete(CHUNK)
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("address", ["http://", "http://[", "http://proxy:port"])
def test_a_proxy_variable_that_makes_no_sense_is_an_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(InputError, match="HTTPS_PROXY"):
        client("https://127.0.0.1")
