"""What isn't on a list is refused before a file is read or anybody is called."""

from __future__ import annotations

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("gateways", "https://apim.example.com"),
        ("organisations", "o2"),
        ("pipelines", "p2"),
        ("variables", "ENOS_APP_KEY"),
    ],
)
def test_each_list_in_the_configuration_and_the_environment(
    bulkstate: Bulkstate, gateway: Gateway, kind: str, name: str
) -> None:
    bulkstate.configure(gateway.url, more=f"allow: {{{kind}: ['{name}']}}")
    for command in (("run", "config.yaml", "--yes"), ("plan", "config.yaml"), ("check", "config.yaml")):
        done = bulkstate(*command, "--json")
        assert (done.exit_code, done.document["reason_code"]) == (4, "not_allowed")
        assert f"isn't among the {kind} that allow.{kind} allows: {name}" in done.err
    bulkstate.configure(gateway.url)
    variable = f"BULKSTATE_ALLOW_{kind.upper()}"
    done = bulkstate("run", "config.yaml", "--yes", **{variable: f"{name},another"})
    assert done.exit_code == 4
    assert variable in done.err
    assert gateway.calls == []


def test_what_is_listed_may_run(bulkstate: Bulkstate, gateway: Gateway) -> None:
    allow = f"allow: {{gateways: ['{gateway.url}/'], organisations: [o1], pipelines: [p1, p2], variables: [TOKEN]}}"
    bulkstate.configure(gateway.url, more=allow)
    assert bulkstate("run", "config.yaml", "--yes", BULKSTATE_ALLOW_PIPELINES="p0, p1").exit_code == 0
    assert gateway.deleted_pairs() == PAIRS
