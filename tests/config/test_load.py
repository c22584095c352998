"""What a good configuration is read as."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkstate import config
from bulkstate.config import Embedded, Gateway, Rate, SecretReference, Share
from bulkstate.gateway.credentials import AppKey, Bearer, Style
from bulkstate.model import Start
from bulkstate.pairs.relation import Unlisted
from bulkstate.policy.deadline import TimeOfDay
from bulkstate.policy.retry import RetryPolicy
from bulkstate.selection import STDIN, BlockSource, Entry, IdList, PairSource
from tests.config.writing import ENVIRON, GOOD, loaded, spoilt

AUTH = 'auth: {app_key: "${ENOS_APP_KEY}", app_secret: "${ENOS_APP_SECRET}"}'

WHOLE = """\
version: 1
gateway:
  url: http://10.0.0.7:8080/enos/
  org_id: "007"
  auth: {app_key: "${ENOS_APP_KEY}", app_secret: "${ENOS_APP_SECRET}", style: bearer, prefix: ""}
  timeout: 500ms
  ca_file: null
  allow_http: true
delete:
  - pipeline: p
    stages: [s]
    where:
      - {assets: "A{1..9}", points: [P1, 'P2'], ids: checked}
      - {pairs: p.tsv, columns: {asset: device, point: measure}, ids: literal, empty: allow}
    keep: ../do-not-touch.csv
    keep_unmatched: allow
    unlisted: may_delete
    columns: {asset: device, point: measure}
    ids: checked
plan: {effort: thorough}
limits: {pairs_per_request: 5_000, bytes_per_request: 512KiB, rate: [600/30s, auto], concurrency: 4, share: 80%}
retry: {attempts: 3, first_delay: 1s, max_delay: 1.5min, split: false, budget: 10%, outage: 2h,
  resolve: false, resolve_after: 45s}
safety: {max_pairs: 50_000_000, max_requests: 20_000, require_paused: false, status_every: 45m, require_state: 2%,
         unknown_stage: skip, max_failed: 50, pause: true, restart: null, on_unpause: wait, canary: true,
         deadline: "05:00 Europe/Berlin"}
verify: {before: none, sample: 2000, settle: 1s, witness: data/witnesses.csv}
report: {json: out/report.json, certificate: out/certificate.json}
allow: {gateways: ["http://10.0.0.7:8080/enos"], organisations: ["007"], pipelines: [pipe], variables: [KEY]}
"""


def test_pairs_may_stand_in_place(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD + 'verify: {witness: [[A1, P1], ["A 2", "0x1F"]]}\n')
    witness = settings.verify.witness
    assert witness is not None
    assert (witness.file, witness.values) == (None, (("A1", "P1"), ("A 2", "0x1F")))
    kept = config.from_document(config.to_document(settings), ENVIRON).verify.witness
    assert kept is not None
    assert (kept.file, kept.values) == (None, witness.values)


def test_what_is_there_and_what_it_stands_for_where_it_is_not(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert settings.gateway == Gateway(
        "https://apim.example.com",
        "o15504722874071",
        AppKey(SecretReference("ENOS_APP_KEY"), SecretReference("ENOS_APP_SECRET"), Style.SIGNED),
    )
    assert settings.limits == config.Limits((Rate(20, 1.0), Rate(1000, 60.0)), 100_000, 1 << 20, "auto")
    assert settings.retry == RetryPolicy(8, 0.5, 60.0, True, 0.2, 1800.0, True)
    assert settings.safety == config.Safety(None, None, True, "auto", "any", config.UnknownStage.REFUSE, Share(10))
    assert settings.verify == config.Verify(1_000, "auto", 5.0, None)
    assert settings.report == config.ReportFiles(None)


def test_auto_is_what_is_meant_where_nothing_is_said(tmp_path: Path) -> None:
    text = GOOD.replace("limits:\n  rate: [20/s, 1000/min]\n", "")
    assert loaded(tmp_path, text).limits == config.Limits(("auto",), 100_000, 1 << 20, "auto", Share(100))
    settings = loaded(tmp_path, text + "limits: {rate: [auto, 1000/min], concurrency: auto, share: 80%}\n")
    assert (settings.limits.rate, settings.limits.windows) == (("auto", Rate(1000, 60.0)), (Rate(1000, 60.0),))
    assert (settings.limits.concurrency, settings.limits.share.part) == ("auto", 0.8)


def test_keys_that_begin_with_x_are_a_place_for_anchors(tmp_path: Path) -> None:
    text = GOOD.replace("version: 1\n", "version: 1\nx-both: &both [A1, A2]\n").replace(
        '["WTG{0001..2000}", A1]', "*both"
    )
    (entry,) = loaded(tmp_path, text.replace("limits:\n", "limits:\n  x-why: asked for in March\n")).delete
    assert isinstance(entry.where[0], BlockSource)
    assert entry.where[0].assets.values == ("A1", "A2")


def test_sources_say_how_they_are_read(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("    where:")] + (
        "    columns: {asset: device}\n"
        "    ids: literal\n"
        "    keep: {pairs: keep.tsv, ids: checked, empty: allow}\n"
        "    where:\n"
        "      - {pairs: a.jsonl, columns: {point: measure}}\n"
        "      - {pairs: b.csv, empty: allow, ids: checked}\n"
        "      - {assets: a.tsv, points: [p], columns: {asset: x, point: y}, ids: checked}\n"
        "      - {assets: a.tsv, points: [p]}\n"
        "verify: {witness: {pairs: w.csv, columns: {asset: x}}}\n"
        "limits: {rate: 1/s}\n"
    )
    settings = loaded(tmp_path, text)
    (entry,) = settings.delete
    one, two, three, four = entry.where
    assert isinstance(one, PairSource)
    assert isinstance(two, PairSource)
    assert isinstance(three, BlockSource)
    assert isinstance(four, BlockSource)
    assert entry.keep is not None
    assert settings.verify.witness is not None
    tables = (one, two, entry.keep, settings.verify.witness)
    assert [(each.asset_column, each.point_column, each.literal, each.may_be_empty) for each in tables] == [
        ("device", "measure", True, False),
        ("device", "point_id", False, True),
        ("device", "point_id", False, True),
        ("x", "point_id", False, False),
    ]
    lists = (three.assets, three.points, four.assets, four.points)
    assert [(each.column, each.literal) for each in lists] == [
        ("x", False),
        ("y", False),
        ("device", True),
        (None, True),
    ]
    assert entry.keep.field == "delete[0].keep.pairs"
    assert entry.keep_must_match


def test_selections_keep_their_place(tmp_path: Path) -> None:
    (entry,) = loaded(tmp_path, GOOD).delete
    where = f"{tmp_path}/config.yaml"
    assets = IdList(("WTG{0001..2000}", "A1"), None, f"{where}:10", "delete[0].where[0].assets")
    points = IdList((), tmp_path / "points.txt", f"{where}:10", "delete[0].where[0].points")
    pairs = PairSource(tmp_path / "stale.csv", f"{where}:11", "delete[0].where[1].pairs")
    stages = ("LastRecordAppender_01", "LatestRecordMerger_02")
    assert entry == Entry("8a81b5f0-2c5e", stages, (BlockSource(assets, points), pairs))


def test_every_key_that_is_built(tmp_path: Path) -> None:
    settings = loaded(tmp_path, WHOLE)
    (entry,) = settings.delete
    keep = PairSource(
        tmp_path / "../do-not-touch.csv", f"{tmp_path}/config.yaml:15", "delete[0].keep", "device", "measure"
    )
    block, pairs = entry.where
    assert isinstance(block, BlockSource)
    assert isinstance(pairs, PairSource)
    assert (pairs.literal, pairs.may_be_empty) == (True, True)
    assert (block.assets.column, block.points.column) == ("device", "measure")
    assert (entry.keep, entry.unlisted, entry.keep_must_match) == (keep, Unlisted.MAY_DELETE, False)
    auth = AppKey(SecretReference("ENOS_APP_KEY"), SecretReference("ENOS_APP_SECRET"), Style.BEARER, "")
    assert settings.gateway == Gateway("http://10.0.0.7:8080/enos", "007", auth, 0.5, None, True)
    assert settings.limits == config.Limits((Rate(600, 30.0), "auto"), 5_000, 512 << 10, 4, Share(80))
    assert settings.retry == RetryPolicy(3, 1.0, 90.0, False, 0.1, 7200.0, False, 45.0)
    assert settings.safety == config.Safety(
        50_000_000,
        20_000,
        False,
        2700.0,
        config.Share(2),
        config.UnknownStage.SKIP,
        50,
        TimeOfDay(5, 0, "Europe/Berlin"),
        True,
        config.OnUnpause.WAIT,
        True,
    )
    witness = PairSource(tmp_path / "data/witnesses.csv", f"{tmp_path}/config.yaml:27", "verify.witness")
    assert settings.verify == config.Verify(0, 2000, 1.0, witness)
    assert settings.report == config.ReportFiles(tmp_path / "out/report.json", tmp_path / "out/certificate.json")
    assert settings.allow == config.Allow(("http://10.0.0.7:8080/enos",), ("007",), ("pipe",), ("KEY",))


def test_what_a_platform_wants_to_be_told_is_kept_as_it_stands(tmp_path: Path) -> None:
    resources = "{cu: 2, on: true, zone: '007', since: 2026-01-01, more: [1.5, null, {a: b}]}"
    restart = f"{{execution_mode: 1, kafka_rate: 1_000, resource_config: {resources}}}"
    safety = loaded(tmp_path, GOOD + f"safety: {{pause: true, restart: {restart}}}\n").safety
    kept = '{"cu": 2, "on": true, "zone": "007", "since": "2026-01-01", "more": [1.5, null, {"a": "b"}]}'
    assert safety.restart == Start(1, 1000, kept)


def test_a_bearer_token(tmp_path: Path) -> None:
    settings = loaded(tmp_path, spoilt(AUTH, "auth: {bearer: '${ENOS_TOKEN}', style: bearer}"))
    assert isinstance(settings.gateway, Gateway)
    assert settings.gateway.auth == Bearer(SecretReference("ENOS_TOKEN"), "Bearer")


def test_the_embedded_gateway_needs_nothing_else(tmp_path: Path) -> None:
    text = GOOD.replace("https://apim.example.com", "embedded").replace(f"  {AUTH}\n", "")
    settings = loaded(tmp_path, text.replace("  org_id: o15504722874071\n", "  timeout: 5s\n"), {})
    assert settings.gateway == Embedded(5.0)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "http://127.9.9.9/x"])
def test_plain_http_stays_on_this_machine(tmp_path: Path, url: str) -> None:
    gateway = loaded(tmp_path, spoilt("https://apim.example.com", url)).gateway
    assert isinstance(gateway, Gateway)
    assert gateway.url == url


@pytest.mark.parametrize(
    ("sample", "meant"),
    [("all", "all"), ("auto", "auto"), ("none", 0), ("0", 0), ("1_000", 1000), ("5%", config.Share(5))],
)
def test_how_much_is_read_back(tmp_path: Path, sample: str, meant: object) -> None:
    assert loaded(tmp_path, GOOD + f"verify: {{sample: {sample}}}\n").verify.sample == meant


@pytest.mark.parametrize(("written", "meant"), [("any", "any"), ("none", "none"), ("1%", config.Share(1))])
def test_how_much_state_is_required(tmp_path: Path, written: str, meant: object) -> None:
    assert loaded(tmp_path, GOOD + f"safety: {{require_state: {written}}}\n").safety.require_state == meant


@pytest.mark.parametrize(("written", "meant"), [("none", 0), ("200", 200)])
def test_how_much_is_looked_at(tmp_path: Path, written: str, meant: int) -> None:
    assert loaded(tmp_path, GOOD + f"verify: {{before: {written}}}\n").verify.before == meant


def test_the_environment_fills_in_any_value(tmp_path: Path) -> None:
    text = spoilt("8a81b5f0-2c5e", "${JOB}-x").replace("points.txt", "'${DATA}/points.csv'")
    text = text.replace("rate: [20/s, 1000/min]", "rate: ${CALLS}/s\n  concurrency: ${MANY}")
    text = text.replace("A1]", "'${JOB}', '$${JOB}']")
    text += "safety: {require_paused: '${PAUSED}'}\n"
    environ = {**ENVIRON, "JOB": "0815", "DATA": "/data", "CALLS": "7", "MANY": "12", "PAUSED": "false"}
    settings = loaded(tmp_path, text, environ)
    (entry,) = settings.delete
    assert entry.pipeline == "0815-x"
    block = entry.where[0]
    assert isinstance(block, BlockSource)
    assert block.assets.values == ("WTG{0001..2000}", "0815", "${JOB}")
    assert block.points.file == Path("/data/points.csv")
    assert (settings.limits.rate, settings.limits.concurrency) == ((Rate(7, 1.0),), 12)
    assert settings.safety.require_paused is False


def test_anchors_repeat_what_they_stand_for(tmp_path: Path) -> None:
    text = spoilt("[LastRecordAppender_01, LatestRecordMerger_02]", "&both [a, b]")
    text = text.replace("limits:", "  - {pipeline: q, stages: *both, where: [{pairs: more.csv}]}\nlimits:")
    assert [entry.stages for entry in loaded(tmp_path, text).delete] == [("a", "b"), ("a", "b")]


def test_a_byte_order_mark_and_carriage_returns_are_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == loaded(tmp_path, GOOD)


@pytest.mark.parametrize("path", ["a.TXT", "a.csv.gz", "a.parquet", "b/a.ndjson.zst", "folder/"])
def test_lists_are_read_from_files_and_folders(tmp_path: Path, path: str) -> None:
    block = loaded(tmp_path, spoilt("points.txt", path)).delete[0].where[0]
    assert isinstance(block, BlockSource)
    assert (block.points.values, block.points.file) == ((), tmp_path / path)


def test_standard_input_is_no_file_of_the_folder(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD.replace("points.txt", "'-'") + "verify: {witness: '-'}\n")
    block = settings.delete[0].where[0]
    assert isinstance(block, BlockSource)
    assert block.points.file == STDIN
    witness = config.from_document(config.to_document(settings), ENVIRON).verify.witness
    assert witness is not None
    assert witness.file == STDIN


def test_paths_start_from_the_configurations_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    entry = loaded(tmp_path / "deep", GOOD.replace("stale.csv", "../Stale.CSV")).delete[0]
    pairs = entry.where[1]
    assert isinstance(pairs, PairSource)
    assert pairs.file == tmp_path / "deep" / ".." / "Stale.CSV"
