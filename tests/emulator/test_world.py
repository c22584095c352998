"""World files: what they say, and how their mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkstate.emulator.limits import WindowKind
from bulkstate.emulator.world import (
    TURBINE_READINGS,
    Application,
    GatewayLimits,
    PipelineSeed,
    StateBlock,
    StatePairs,
    TokenPolicy,
    World,
    default_world,
    load_world,
)
from bulkstate.errors import InputError
from bulkstate.model import Pair, PipelineStatus
from bulkstate.pairs.patterns import unfold_all
from bulkstate.rates import Rate

WORLD = """
organisation: o15504722874071
app_key: rehearsal
app_secret: not-a-real-one
pipelines:
  - id: 8a81b5f0-2c5e
    name: Turbine telemetry
    status: PAUSED
    stages: [PointSelector_00, LastRecordAppender_01, LatestRecordMerger_02]
    state:
      - {assets: ["WTG{0001..2000}"], points: [WTG.GenActivePW], model: WTG}
      - {pairs: pairs.csv, stages: [LastRecordAppender_01]}
  - {id: other, status: RUNNING, stages: [RecordCapturer_01]}
limits: {windows: [20/s, 1000/min, 600/30s], kind: sliding, retry_after: true, body: 1MiB, pairs: 500}
token: {lifetime: 2h, expired: 4011}
"""


def test_a_world_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(WORLD)
    (tmp_path / "pairs.csv").write_text('A1,P1\n"A,2",P2\n')
    stages = ("LastRecordAppender_01", "LatestRecordMerger_02")
    state = (
        StateBlock(stages, ("WTG{0001..2000}",), ("WTG.GenActivePW",), "WTG"),
        StatePairs(stages[:1], (Pair("A1", "P1"), Pair("A,2", "P2"))),
    )
    paused = PipelineSeed(
        "8a81b5f0-2c5e", "Turbine telemetry", PipelineStatus.PAUSED, ("PointSelector_00", *stages), state
    )
    windows = (Rate(20, 1.0), Rate(1000, 60.0), Rate(600, 30.0))
    assert load_world(tmp_path / "world.yaml") == World(
        organisation="o15504722874071",
        credentials=Application("rehearsal", "not-a-real-one"),
        pipelines=(paused, PipelineSeed("other", "other", PipelineStatus.RUNNING, ("RecordCapturer_01",))),
        limits=GatewayLimits(windows, WindowKind.SLIDING, retry_after=True, body=1_048_576, pairs=500),
        token=TokenPolicy(7200.0, 4011),
    )


@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ("organisation:", "organization:", "world.yaml:2: organization: unknown key (did you mean organisation?)"),
        (
            "status: PAUSED",
            "status: ASLEEP",
            "world.yaml:8: pipelines[0].status: expected PUBLISHED, RUNNING, PAUSED or STOPPED",
        ),
        ("id: other", "id: 007", "world.yaml:13: pipelines[1].id: expected an ID, found '007'"),
        ("id: other", "id: 8a81b5f0-2c5e", "world.yaml:5: pipelines: two pipelines have the same id"),
        ("app_secret: not-a-real-one", "", "app_secret: is missing"),
        (
            "{0001..2000}",
            "{2000..0001}",
            "state[0].assets[0]: 'WTG{2000..0001}' counts down from 2000 to 0001",
        ),
        ("pairs.csv, stages: [LastRecordAppender_01]", "none.csv", "state[1].pairs: "),
        ("stages: [LastRecordAppender_01]}", "stages: [PointSelector_00]}", "'PointSelector_00' holds no state"),
        ("stages: [LastRecordAppender_01]}", "stages: [Merger]}", "the pipeline has no stage 'Merger'"),
        ("20/s", "20/fortnight", "limits.windows[0]: expected a rate such as 20/s"),
        ("20/s", "0/s", "limits.windows[0]: expected a rate of at least one call"),
        ("kind: sliding", "kind: tumbling", "limits.kind: expected fixed or sliding"),
        ("pairs: pairs.csv", 'pairs: "\\0"', "state[1].pairs: "),
        ("retry_after: true", "retry_after: 7", "limits.retry_after: expected true or false, found '7'"),
        ("body: 1MiB", "body: big", "limits.body: expected a size"),
        ("body: 1MiB", "body: 0", "limits.body: expected a size from 1 to"),
        ("pairs: 500", "pairs: 500, pairs: 6", "limits.pairs: is there twice"),
        ("expired: 4011", "expired: 200", "token.expired: expected 401 or 4011"),
        ("pipelines:", "pipelines: [", "isn't YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, was: str, becomes: str, complaint: str) -> None:
    assert was in WORLD
    (tmp_path / "world.yaml").write_text(WORLD.replace(was, becomes, 1))
    (tmp_path / "pairs.csv").write_text("A1,P1\n")
    with pytest.raises(InputError) as raised:
        load_world(tmp_path / "world.yaml")
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "isn't UTF-8"),
        (b"\x00", "is binary, not YAML"),
        (b"[]", "mapping"),
        (b"[" * 5000, "nest"),
        (b"[" * 50, "is nested more than 32 deep"),
    ],
)
def test_a_file_that_is_no_world(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "world.yaml"
    with pytest.raises(InputError, match="can't be read"):
        load_world(path)
    with pytest.raises(InputError, match="can't be read"):
        load_world(tmp_path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        load_world(path)


@pytest.mark.parametrize(("line", "where"), [("A1", ":2"), ("A1,P1,x", ":2"), ("A1,", ":2")])
def test_a_pair_that_is_none(tmp_path: Path, line: str, where: str) -> None:
    (tmp_path / "world.yaml").write_text(WORLD)
    (tmp_path / "pairs.csv").write_text(f"A1,P1\n{line}\n")
    with pytest.raises(InputError, match=f"pairs.csv{where}: expected an asset and a point"):
        load_world(tmp_path / "world.yaml")


def test_half_of_the_default_world_is_easily_named() -> None:
    paused, running = default_world().pipelines
    held = sum(
        len(unfold_all(block.assets)) * len(unfold_all(block.points)) * len(block.stages)
        for pipeline in (paused, running)
        for block in pipeline.state
        if isinstance(block, StateBlock)
    )
    assert held == 1_000_000
    assert 2 * len(unfold_all(["WTG{0001..5000}"])) * len(unfold_all(TURBINE_READINGS)) == 500_000


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    spoilt = WORLD.replace("status: PAUSED", "status: ASLEEP").replace("20/s", "20").replace("lifetime: 2h", "life: 2h")
    (tmp_path / "world.yaml").write_text(spoilt.replace("LastRecordAppender_01]}", "Merger_7]}"))
    (tmp_path / "pairs.csv").write_text("A1,P1,x\n")
    with pytest.raises(InputError) as raised:
        load_world(tmp_path / "world.yaml")
    fields = ["pipelines[0].status", "", "limits.windows[0]", "token.life"]
    assert sorted(problem.field for problem in raised.value.problems) == sorted(fields)


def test_what_a_world_writes_bare_or_grouped(tmp_path: Path) -> None:
    world = "pipelines: []\nlimits: {windows: [1_000/min], body: 2_048}\ntoken: {lifetime: 90}\n"
    (tmp_path / "world.yaml").write_text(world)
    loaded = load_world(tmp_path / "world.yaml")
    assert loaded == World(limits=GatewayLimits((Rate(1000, 60.0),), body=2048), token=TokenPolicy(90.0))


def test_nothing_in_a_world_comes_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text('pipelines: []\norganisation: "${HOME}"\n')
    assert load_world(tmp_path / "world.yaml").organisation == "${HOME}"


def test_a_world_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text("version: 1\npipelines: []\n")
    assert load_world(tmp_path / "world.yaml") == World()
    (tmp_path / "world.yaml").write_text("version: 2\npipelines: []\n")
    with pytest.raises(InputError, match="version: expected 1, the only version that this program reads"):
        load_world(tmp_path / "world.yaml")
