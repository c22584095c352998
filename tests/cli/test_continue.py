"""A step that can be pressed twice: started, gone on with, or told how it ended; never another target's."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Call, Gateway, deleted, reply

pytestmark = pytest.mark.slow

PRESS = ("run", "config.yaml", "--yes", "--continue", "--run-dir", "r", "--json")


def test_pressed_until_it_is_done_and_once_more(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def refuse(call: Call, number: int) -> tuple[int, dict[str, str], bytes]:
        return deleted() if number <= 4 else reply({"code": 0, "msg": "no"}, 403)

    gateway.answer = refuse
    bulkstate.configure(gateway.url, concurrency=1)
    stopped = bulkstate(*PRESS)
    assert (stopped.exit_code, stopped.document["reason_code"]) == (5, "gateway_refused")

    gateway.answer = lambda call, number: deleted()
    sent = len(gateway.deletes())
    done = bulkstate(*PRESS)
    assert (done.exit_code, done.document["result"]) == (0, "deleted"), done.err
    assert len(gateway.deletes()) - sent == 6
    assert gateway.deleted_pairs() == PAIRS

    calls = len(gateway.calls)
    again = bulkstate(*PRESS)
    assert (again.exit_code, again.document) == (0, done.document)
    assert len(gateway.calls) == calls, "it only tells"

    text = (bulkstate.folder / "config.yaml").read_text()
    (bulkstate.folder / "config.yaml").write_text(text.replace("A{01..20}", "A{01..19}"))
    other = bulkstate(*PRESS)
    assert (other.exit_code, other.document["reason_code"]) == (4, "digest_differs")
    assert len(gateway.calls) == calls


def test_what_ended_with_3_ends_so_again(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = lambda call, number: (
        deleted() if number > 1 else reply({"code": 61102, "msg": "Missing param", "requestId": "r"})
    )
    bulkstate.configure(gateway.url)
    assert bulkstate("plan", "config.yaml", "-o", "p.plan").exit_code == 0
    press = ("apply", "p.plan", "--yes", "--continue", "--run-dir", "r", "--json")
    first, again = bulkstate(*press), bulkstate(*press)
    assert first.exit_code == again.exit_code == 3
    assert json.loads(again.out) == json.loads(first.out)


def test_it_has_to_know_its_run(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--continue")
    assert done.exit_code == 2
    assert "--continue needs --run-dir" in done.err
    assert not gateway.calls
