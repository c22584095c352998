"""The document that the emulator serves of itself says what it does."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any, cast

import pytest

from bulkstate.emulator import openapi
from bulkstate.emulator.handlers import StreamingHandlers, TokenHandlers
from bulkstate.emulator.streaming import Streaming
from bulkstate.emulator.tokens import TokenService
from bulkstate.emulator.worker import Worker
from tests.emulator.callers import PIPELINE, PIPELINES, STAGE_STATE, caller, small_world

pytestmark = pytest.mark.anyio

SAMPLES: list[tuple[str, str, bytes]] = [
    ("GET", "/openapi.json", b""),
    ("GET", f"{PIPELINES}?orgId=o1", b""),
    ("GET", f"{PIPELINES}?orgId=nobody", b""),
    ("GET", f"{PIPELINE}p-1?orgId=o1", b""),
    ("POST", f"{PIPELINE}p-1?orgId=o1&action=save", b"{}"),
    ("POST", f"{PIPELINE}p-1?orgId=o1&action=stop", b""),
    ("GET", f"{PIPELINE}p-1/offset-lag?orgId=o1", b""),
    ("POST", f"{PIPELINE}p-1/offset?orgId=o1", b""),
    ("POST", f"{STAGE_STATE}?orgId=o1&action=get", b"{}"),
    ("POST", f"{STAGE_STATE}?orgId=o1&action=delete", b"nonsense"),
    ("POST", "/apim-token-service/v2.0/token/get", b"{}"),
    ("POST", "/apim-token-service/v2.0/token/refresh", b"[]"),
]


def unlike(value: Any, schema: Any, at: str = "$") -> list[str]:
    """Where a value isn't as a schema of ours says: the few keywords that it uses, spelt out once more."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return unlike(value, openapi.document()["components"]["schemas"][name], at)
    wrong = [each for part in schema.get("allOf", []) for each in unlike(value, part, at)]
    for kind in ("anyOf", "oneOf"):
        fitting = [part for part in schema.get(kind, []) if not unlike(value, part, at)]
        wrong += [f"{at}: {kind}"] if kind in schema and not fitting else []
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    names = schema.get("type", [])
    if names and not isinstance(value, tuple(types[name] for name in ([names] if isinstance(names, str) else names))):
        wrong.append(f"{at}: {names}")
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{at}: {schema['enum']}")
    if isinstance(value, dict):
        wrong += [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, part in schema.get("properties", {}).items():
            wrong += unlike(value[name], part, f"{at}.{name}") if name in value else []
    if isinstance(value, list):
        wrong += [each for item in value for each in unlike(item, schema.get("items", {}), f"{at}[]")]
    return wrong


@pytest.mark.parametrize(("method", "path", "body"), SAMPLES)
async def test_an_answer_is_as_the_document_says(method: str, path: str, body: bytes) -> None:
    async with caller(small_world()) as someone:
        url, headers = someone.emulator.url + path, {"Authorization": someone.token}
        async with someone.session.request(method, url, data=body, headers=headers) as response:
            answer = await response.json()
    place = path.partition("?")[0].replace(f"{PIPELINE}p-1", PIPELINE + "{pipelineId}")
    described = openapi.document()["paths"][place][method.lower()]["responses"][str(response.status)]
    assert unlike(answer, described["content"]["application/json"]["schema"]) == []


def test_the_document_describes_every_call_and_no_other() -> None:
    streaming = StreamingHandlers("o1", cast(Streaming, None), cast(Worker, None))
    routes = [*streaming.routes(), *TokenHandlers(cast(TokenService, None)).routes()]
    served = {(route.method, route.path.replace("{pipeline}", "{pipelineId}")) for route in routes}
    paths = openapi.document()["paths"]
    described = {(method.upper(), path) for path in paths for method in paths[path]}
    assert served | {("GET", openapi.PATH)} == described


@pytest.mark.fuzz
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_schemathesis_finds_nothing() -> None:
    """Whatever it sends is answered, never with a 5xx, and as the document says.

    A refusal comes at HTTP 200 with a code, as is the API's way: the two checks that want a status are left out.
    """
    pytest.importorskip("schemathesis")
    command = Path(sys.executable).with_name("schemathesis")
    async with caller(small_world()) as someone:
        process = await asyncio.create_subprocess_exec(
            *(command, "run", f"{someone.emulator.url}/openapi.json"),
            *("--header", f"Authorization: {someone.token}", "--max-examples", "50", "--seed", "1", "--no-color"),
            *("--exclude-checks", "negative_data_rejection,positive_data_acceptance"),
            stdout=PIPE,
            stderr=STDOUT,
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
