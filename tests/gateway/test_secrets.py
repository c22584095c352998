"""Law 6: a gateway that quotes what it was sent finds no listener here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from html import escape
from string import ascii_letters, digits
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.gateway import wire
from bulkstate.gateway.credentials import AppKey, Auth, Bearer, FixedCredentials, Style
from bulkstate.model import Answer
from tests.gateway.servers import CHUNK, TOKEN, Seen, client, gateway, http, saying, token_answer

SECRETS = ("canary-app-key/1+", "canary-app-secret/2+", TOKEN, "canary-access-token/3+")
KEY = AppKey(SECRETS[0], SECRETS[1])


async def quoting(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Everything that arrived, and what must never have, in message and request ID."""
    if "/token/" in seen.path:
        writer.write(token_answer(SECRETS[3]))
        return
    told = f"{seen.headers} {' '.join(SECRETS)}"[-180:]
    writer.write(http(orjson.dumps({"code": 61199, "msg": told, "requestId": " ".join(seen.headers.values())})))


@pytest.mark.anyio
@pytest.mark.parametrize("auth", [Bearer(TOKEN), KEY, AppKey(SECRETS[0], SECRETS[1], Style.BEARER)])
async def test_a_gateway_that_quotes_secrets(auth: Auth, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mine = (TOKEN,) if isinstance(auth, Bearer) else (SECRETS[0], SECRETS[1], SECRETS[3])
    async with gateway(quoting) as server, client(server.url, auth) as api:
        attempt = await api.delete(CHUNK)
        shown = f"{attempt!r} {auth!r} {api!r} {vars(api)!r} {caplog.text}"
    assert attempt.reply.answer is Answer.UNDECIDED
    assert "[hidden]" in attempt.reply.message
    assert not [secret for secret in mine if secret in shown]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "spell", [str, quote, lambda text: quote(text, safe=""), escape, lambda t: t.replace("/", "\\/")]
)
async def test_other_spellings_are_hidden_too(spell: Callable[[str], str]) -> None:
    token = 'canary/"<token>&+'
    page = f"<html>{spell(token)}</html>".encode()
    async with gateway(saying(http(page, "502 Bad Gateway"))) as server, client(server.url, Bearer(token)) as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.message == "<html>[hidden]</html>"


@pytest.mark.anyio
async def test_a_redirect_that_carries_secrets_in_its_host() -> None:
    location = f"Location: https://{TOKEN}.evil.example/?t={TOKEN}"
    async with gateway(saying(http(b"", "302 Found", location))) as server, client(server.url) as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.message == "a redirect to [hidden].evil.example; redirects are never followed"


@pytest.mark.anyio
@pytest.mark.parametrize("auth", [Bearer(TOKEN), KEY])
async def test_no_word_of_a_list_of_pipelines_shows_a_secret_or_anything_unprintable(auth: Auth) -> None:
    told = f"{TOKEN.upper()} {SECRETS[1]} {SECRETS[3]}\x1b[31m\u202e" + 100_000 * "x"
    row = dict.fromkeys(("pipelineId", "pipelineName", "status", "version", "updateTime"), told)

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        page = {"count": 1, "pipelines": [row]}
        body = orjson.dumps({"code": 0, "msg": told, "requestId": told, "data": page})
        writer.write(token_answer(SECRETS[3]) if "/token/" in seen.path else http(body))

    async with gateway(answer) as server, client(server.url, auth) as api:
        reply = (await api.pipelines(1)).reply
    assert reply.data is not None
    (pipeline,) = reply.data.pipelines
    words = (pipeline.id, pipeline.name, pipeline.status, pipeline.version, pipeline.updated)
    mine = (TOKEN,) if isinstance(auth, Bearer) else (SECRETS[1], SECRETS[3])
    for word in (*words, reply.message, reply.request_id or ""):
        assert word.startswith("[hidden]" if isinstance(auth, Bearer) else TOKEN.upper())
        assert not [secret for secret in mine if secret.lower() in word.lower()]
        assert word.isprintable()
        assert len(word) <= 200


@pytest.mark.anyio
async def test_a_host_in_small_letters_hides_a_secret_with_capitals() -> None:
    secret = "CANARY-Bearer-Token-4C1F"
    location = f"Location: https://{secret}.evil.example/"
    async with gateway(saying(http(b"", "302 Found", location))) as server, client(server.url, Bearer(secret)) as api:
        reply = (await api.delete(CHUNK)).reply
    assert reply.message == "a redirect to [hidden].evil.example; redirects are never followed"


@pytest.mark.anyio
async def test_nothing_that_nobody_asked_about_goes_further_than_a_get() -> None:
    items = [{"assetId": asset, "pointId": "INV.GenActivePW"} for asset in ("8byS3cuc", TOKEN, "\x1b[31m")]
    body = orjson.dumps({"code": 0, "data": items})
    async with gateway(saying(http(body))) as server, client(server.url) as api:
        reply = (await api.get(CHUNK)).reply
    assert (reply.data, reply.message) == (None, "it tells of pairs that nobody asked about")


@pytest.mark.parametrize("prefix", ["Bearer\r\nX-Evil: 1", "風", " Bearer"])
def test_a_prefix_that_no_header_can_hold_is_an_error(prefix: str) -> None:
    for auth in (Bearer("t", prefix), AppKey("k", "s", Style.BEARER, prefix)):
        with pytest.raises(InputError, match=r"gateway\.auth\.prefix"):
            client("https://gateway.example.com", auth)


@given(
    secret=st.text(ascii_letters + digits + "+/=-_. ", min_size=12, max_size=80)
    .map(str.strip)
    .filter(lambda s: len(s) > 11),
    before=st.integers(0, 420),
    gap=st.sampled_from(["#", "# ", "ü", "\n"]),
    as_json=st.booleans(),
)
def test_no_part_of_a_secret_gets_through(secret: str, before: int, gap: str, as_json: bool) -> None:
    """However a message is cut: nothing but a few first characters may be left."""
    told = (gap * before)[:before] + secret + "#"
    body = orjson.dumps({"code": 61199, "msg": told}) if as_json else told.encode()
    message = FixedCredentials(Bearer(secret)).hide(wire.read_delete(200, body).message)
    plain = " ".join(secret.split())
    assert not [start for start in range(len(plain) - 7) if plain[start : start + 8] in message.replace("[hidden]", "")]


@pytest.mark.parametrize("secret", ["", " tok", "tok\n", "tok\r\nX-Evil: 1", "tök", "to\0k"])
def test_a_secret_that_no_header_can_hold_is_an_error_that_does_not_show_it(secret: str) -> None:
    for auth in (Bearer(secret), AppKey(secret, "s"), AppKey("k", secret)):
        with pytest.raises(InputError) as caught:
            client("https://gateway.example.com", auth)
        assert "gateway.auth." in str(caught.value)
        assert not secret or secret not in str(caught.value)
