"""What is remembered of a gateway: a courtesy, unless a limit of an hour and more has to be kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bulkstate import config
from bulkstate.disk.gateway_file import StateFile
from bulkstate.policy.auto.learnt import Learnt
from bulkstate.rates import Rate
from bulkstate.runs.memory import known_limits

CONFIGURATION = """\
version: 1
gateway: {url: "https://apim.example.com", org_id: o1, auth: {bearer: "${TOKEN}"}}
delete: [{pipeline: p, stages: [S], where: [{assets: [a], points: [b]}]}]
limits: {rate: [auto, 1000/h]}
"""
GATEWAY = ("https://apim.example.com:443", "o1")
CONFIGURED = (Rate(1000, 3600.0),)


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    (tmp_path / "config.yaml").write_text(CONFIGURATION)
    return config.load(tmp_path / "config.yaml", {"TOKEN": "t"})


def test_what_was_learnt_is_known(tmp_path: Path, settings: config.Settings) -> None:
    StateFile(tmp_path / "s.json", *GATEWAY).keep_learnt(Learnt(40.0).as_dict())
    assert known_limits(settings, tmp_path / "s.json") == (*CONFIGURED, Rate(40, 1.0))


@pytest.mark.parametrize("learnt", [{"version": 99}, {"version": 1, "rate": "fast", "quotas": []}, "fast"])
def test_what_was_learnt_in_other_words_is_ignored_and_said_once(
    tmp_path: Path, settings: config.Settings, learnt: object
) -> None:
    StateFile(tmp_path / "s.json", *GATEWAY).keep_learnt(learnt)
    with capture_logs() as said:
        for _ in range(2):  # before the question, and by the run
            assert known_limits(settings, tmp_path / "s.json") == CONFIGURED
    assert [line["file"] for line in said] == [str(tmp_path / "s.json")]


def test_a_missing_place_is_said_once(
    tmp_path: Path, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with capture_logs() as said:
        for _ in range(2):
            assert known_limits(settings) == CONFIGURED
    assert len(said) == 1
    assert str(tmp_path / "file") in said[0]["reason"]
