"""What editors are told is what is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from bulkstate import config
from tests.config.test_load import WHOLE
from tests.config.writing import GOOD


def _keys(value: object, path: str = "") -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield f"{path}.{name}"
                yield from _keys(inner, f"{path}.{name}")
        case list():
            for inner in value:
                yield from _keys(inner, path)


def _described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner["description"]
        yield from _described(inner, f"{path}.{name}")
        yield from _described(inner.get("items", {}), f"{path}.{name}")


def test_it_describes_every_key_that_can_be_written_and_no_other() -> None:
    described = dict(_described(config.schema()))
    assert described.keys() == {*_keys(yaml.safe_load(GOOD)), *_keys(yaml.safe_load(WHOLE)), ".gateway.auth.bearer"}
    assert all(text.endswith(".") for text in described.values())


def test_it_forbids_unknown_keys_and_asks_for_what_has_no_default() -> None:
    schema = config.schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["version", "gateway", "delete"]
    assert schema["properties"]["limits"]["properties"]["rate"]["default"] == "auto"
    assert schema["properties"]["limits"]["properties"]["share"]["default"] == "100%"
    assert schema["properties"]["limits"]["properties"]["concurrency"]["default"] == "auto"
    assert schema["properties"]["retry"]["properties"]["first_delay"]["default"] == "0.5s"


def test_it_is_json() -> None:
    assert json.loads(json.dumps(config.schema())) == config.schema()
