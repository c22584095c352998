"""Certificates are read when the configuration is, so that a run can go on where their file isn't."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from bulkstate.config import Gateway, from_document, to_document
from tests.config.writing import ENVIRON, loaded, mistakes, spoilt

PEM: Final = (Path(__file__).parent / "authority.pem").read_text()
WITH_FILE: Final = spoilt("  org_id:", "  ca_file: ca.pem\n  org_id:")


def _pem(folder: Path, text: str) -> str | None:
    gateway = loaded(folder, text).gateway
    assert isinstance(gateway, Gateway)
    return gateway.ca_pem


def test_a_file_of_certificates_is_kept_as_text(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(f"# ours\n{PEM}\nsubject=/CN=another\n{PEM}")
    assert _pem(tmp_path, WITH_FILE) == PEM + PEM


def test_a_key_beside_them_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(f"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n{PEM}")
    assert _pem(tmp_path, WITH_FILE) == PEM


def test_they_may_stand_in_the_configuration(tmp_path: Path) -> None:
    indented = PEM.replace("\n", "\n    ")
    assert _pem(tmp_path, spoilt("  org_id:", f"  ca_file: |\n    {indented}\n  org_id:")) == PEM


def test_a_run_goes_on_without_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    settings = loaded(tmp_path, WITH_FILE)
    document = to_document(settings)
    (tmp_path / "ca.pem").unlink()
    assert from_document(document, ENVIRON).gateway == settings.gateway


@pytest.mark.parametrize("content", ["", "no certificate", PEM.replace("MII", "MIX"), PEM.replace("MII", "MIÜ")])
def test_a_file_that_holds_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)
    said = "config.yaml:4: gateway.ca_file: holds no certificate in PEM form that can be used"
    assert mistakes(tmp_path, WITH_FILE) == [said]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    said = "config.yaml:4: gateway.ca_file: can't be read: No such file or directory"
    assert mistakes(tmp_path, WITH_FILE) == [said]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ca.pem")
    assert mistakes(tmp_path, WITH_FILE) == ["config.yaml:4: gateway.ca_file: isn't a regular file"]
