"""The parts of aiohttp that `transport` leans on and that aiohttp doesn't document: one line says which one changed."""

from __future__ import annotations

from inspect import signature

import pytest
from aiohttp import ClientRequest, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

PARTS: dict[object, set[str]] = {
    TCPConnector.connect: {"req", "traces", "timeout"},
    TCPConnector.close: set(),
    ClientRequest.__init__: {"method", "url", "loop", "proxy", "proxy_headers"},
    Connection.release: set(),
    Connection.close: set(),
    ResponseHandler.read: set(),
    ResponseHandler.set_response_params: {"max_line_size", "max_field_size", "max_headers"}
    | {"read_until_eof", "auto_decompress"},
}
PROPERTIES = [(Connection, name) for name in ("protocol", "transport", "closed")] + [(ResponseHandler, "should_close")]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__qualname__)
def test_a_method_takes_what_it_is_given(part: object) -> None:
    assert callable(part)
    assert set(signature(part).parameters) >= PARTS[part]


@pytest.mark.parametrize(("owner", "name"), PROPERTIES)
def test_a_property_is_one(owner: type, name: str) -> None:
    assert isinstance(getattr(owner, name), property)
