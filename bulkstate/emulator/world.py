"""What an emulator holds and how it behaves, as frozen values: read from a YAML file, or the fleet that comes with it.

    organisation: o15504722874071         # this one, the key and the secret are made up at every start if left out
    app_key: rehearsal
    app_secret: not-a-real-one
    pipelines:
      - id: 8a81b5f0-2c5e
        name: Turbine telemetry
        status: PAUSED                    # PUBLISHED, RUNNING, PAUSED or STOPPED
        stages: [LastRecordAppender_01, LatestRecordMerger_02]
        state:
          - {assets: ["WTG{0001..2000}"], points: [WTG.GenActivePW], model: WTG}    # in all stages that hold state
          - {pairs: pairs.csv, stages: [LastRecordAppender_01]}                     # lines of `asset,point`
    limits: {windows: [20/s, 1000/min], kind: fixed, retry_after: false, body: 1MiB, pairs: 100000}
    token: {lifetime: 2h, expired: 401}                                             # or 4011: HTTP 200 with apim_status

Paths are relative to the file's folder. A secret in such a file is the emulator's own, good for nothing else.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkstate.emulator.limits import WindowKind
from bulkstate.emulator.yamlfile import Entry, Fields, open_yaml
from bulkstate.errors import InputError, Problem
from bulkstate.gateway.wire import PAIRS_PER_REQUEST
from bulkstate.model import Pair, PipelineStatus
from bulkstate.pairs.patterns import unfold
from bulkstate.rates import Rate

MEBIBYTE: Final = 1024 * 1024

_EXPIRED: Final = ("401", "4011")

STATEFUL: Final = frozenset({"LastRecordAppender", "LastChangedRecordAppender", "LatestRecordMerger", "RecordCapturer"})
"""The generic operators: the types of stage whose state can be read and deleted (enos-api)."""


def holds_state(stage: str) -> bool:
    """Whether a stage of that name is of a supported type: `LastRecordAppender_01` is a LastRecordAppender."""
    return stage.rpartition("_")[0] in STATEFUL


@dataclass(frozen=True, slots=True)
class Credentials:
    """An application that may call."""

    app_key: str
    app_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StateBlock:
    """State for every one of `assets` with every one of `points` (IDs or patterns), in each of `stages`."""

    stages: tuple[str, ...]
    assets: tuple[str, ...]
    points: tuple[str, ...]
    model: str = ""


@dataclass(frozen=True, slots=True)
class StatePairs:
    """State for single pairs, in each of `stages`."""

    stages: tuple[str, ...]
    pairs: tuple[Pair, ...]
    model: str = ""


@dataclass(frozen=True, slots=True)
class PipelineSeed:
    """A pipeline as it is before the first call. `stages` may name some that hold no state."""

    id: str
    name: str
    status: PipelineStatus
    stages: tuple[str, ...]
    state: tuple[StateBlock | StatePairs, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway refuses: calls over `windows` (429; none by default), bodies over `body_bytes` (413), and more
    than `pairs` pairs in a call (61105). `retry_after` adds that header to a 429: nobody documents that it comes."""

    windows: tuple[Rate, ...] = ()
    kind: WindowKind = WindowKind.FIXED
    retry_after: bool = False
    body_bytes: int = MEBIBYTE
    pairs: int = PAIRS_PER_REQUEST


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Seconds that a token is good for, and how an expired one shows: as HTTP 401, or as 200 with apim_status 4011."""

    lifetime: float = 7200.0
    expired: int = 401


@dataclass(frozen=True, slots=True)
class World:
    """One organisation and everything in it. None for `organisation` or `credentials`: made up at every start."""

    organisation: str | None = None
    credentials: Credentials | None = None
    pipelines: tuple[PipelineSeed, ...] = ()
    limits: Limits = Limits()
    token: TokenPolicy = TokenPolicy()


# ── the fleet that comes with it ──────────────────────────────────────────────────────────────────────────────────

TURBINE_READINGS: Final = (
    *("WTG.GenActivePW", "WTG.GenReactivePW", "WTG.GenSpd", "WTG.RotorSpd", "WTG.TorqueSetpoint", "WTG.PowerFactor"),
    *(
        "WTG.WindSpeed",
        "WTG.WindDirection",
        "WTG.NacellePosition",
        "WTG.YawError",
        "WTG.OutdoorTemp",
        "WTG.NacelleTemp",
    ),
    *("WTG.PitchAngle{1..3}", "WTG.PitchMotorTemp{1..3}", "WTG.BladeRootMoment{1..6}", "WTG.GenWindingTemp{1..6}"),
    *("WTG.GearBearingTemp{1..4}", "WTG.MainBearingTemp{1..2}", "WTG.ConverterTemp{1..4}", "WTG.TowerAccel{1..2}"),
    *("WTG.PhaseVoltage{1..3}", "WTG.PhaseCurrent{1..3}", "WTG.HydraulicPressure{1..2}"),
)
_TURBINE_COUNTERS: Final = ("WTG.TotalEnergy{1..4}", "WTG.TotalHours{1..6}")
_INVERTER_POINTS: Final = ("INV.GenActivePW", "INV.GenReactivePW", "INV.Temp{1..2}", "INV.StringCurrent{01..36}")
_METER_POINTS: Final = ("MET.ActivePW", "MET.ReactivePW", "MET.Energy{01..18}")
_STATION_POINTS: Final = ("WST.Irradiance{1..4}", "WST.WindSpeed{1..4}", "WST.AirTemp{1..4}", "WST.ModuleTemp{01..28}")

_STAGES: Final = ("LastRecordAppender_01", "LatestRecordMerger_02")


def default_world() -> World:
    """A fleet with exactly 1,000,000 stored states.

    A paused pipeline has 480,000 in each of two stages: 5,000 turbines with 50 readings and 10 counters, 3,000
    inverters with 40 points, 2,000 meters with 20, 500 weather stations with 40. A running one has 40,000, of
    inverters. The turbines' readings in both stages are 500,000: half of it all.
    """
    inverters = StateBlock(("RecordCapturer_01",), ("INV{0001..1000}",), _INVERTER_POINTS, "INV")
    running = PipelineSeed(
        "3f6d20c4-91b7",
        "Inverter capture",
        PipelineStatus.RUNNING,
        ("PointSelector_00", "RecordCapturer_01"),
        (inverters,),
    )
    paused = PipelineSeed(
        "8a81b5f0-2c5e", "Fleet telemetry", PipelineStatus.PAUSED, ("PointSelector_00", *_STAGES), _fleet()
    )
    return World(pipelines=(paused, running))


def _fleet() -> tuple[StateBlock, ...]:
    return (
        StateBlock(_STAGES, ("INV{0001..3000}",), _INVERTER_POINTS, "INV"),
        StateBlock(_STAGES, ("MET{0001..2000}",), _METER_POINTS, "MET"),
        StateBlock(_STAGES, ("WST{001..500}",), _STATION_POINTS, "WST"),
        StateBlock(_STAGES, ("WTG{0001..5000}",), (*TURBINE_READINGS, *_TURBINE_COUNTERS), "WTG"),
    )


# ── from a file ───────────────────────────────────────────────────────────────────────────────────────────────────


def load_world(path: Path) -> World:
    """Read a world file. InputError, with file, line and field, for the first mistake in it."""
    fields = open_yaml(path).fields("organisation", "app_key", "app_secret", "pipelines", "limits", "token")
    return World(
        organisation=fields.get("organisation", Entry.text, None),
        credentials=_credentials(fields),
        pipelines=_pipelines(fields.need("pipelines")),
        limits=fields.get("limits", _limits, Limits()),
        token=fields.get("token", _token, TokenPolicy()),
    )


def _credentials(fields: Fields) -> Credentials | None:
    if "app_key" not in fields and "app_secret" not in fields:
        return None
    return Credentials(fields.need("app_key").text(), fields.need("app_secret").text())


def _pipelines(entry: Entry) -> tuple[PipelineSeed, ...]:
    pipelines = tuple(map(_pipeline, entry.items()))
    if len({pipeline.id for pipeline in pipelines}) < len(pipelines):
        raise entry.mistake("two pipelines have the same id")
    return pipelines


def _pipeline(entry: Entry) -> PipelineSeed:
    fields = entry.fields("id", "name", "status", "stages", "state")
    id_ = fields.need("id").text()
    stages = fields.need("stages").texts()
    if len(set(stages)) < len(stages):
        raise fields.need("stages").mistake("a stage is named twice")
    return PipelineSeed(
        id=id_,
        name=fields.get("name", Entry.text, id_),
        status=PipelineStatus(fields.need("status").choice(*PipelineStatus)),
        stages=stages,
        state=fields.get("state", lambda state: tuple(_state(item, stages) for item in state.items()), ()),
    )


def _state(entry: Entry, of_pipeline: tuple[str, ...]) -> StateBlock | StatePairs:
    fields = entry.fields("assets", "points", "pairs", "stages", "model")
    stages = fields.get("stages", lambda names: _stages(names, of_pipeline), tuple(filter(holds_state, of_pipeline)))
    model = fields.get("model", Entry.text, "")
    if "pairs" not in fields:
        return StateBlock(stages, _patterns(fields.need("assets")), _patterns(fields.need("points")), model)
    if "assets" in fields or "points" in fields:
        raise entry.mistake("expected either assets and points, or pairs")
    return StatePairs(stages, _pairs(fields.need("pairs")), model)


def _stages(entry: Entry, of_pipeline: tuple[str, ...]) -> tuple[str, ...]:
    stages = entry.texts()
    for stage in stages:
        if stage not in of_pipeline:
            raise entry.mistake(f"the pipeline has no stage {stage!r}")
        if not holds_state(stage):
            raise entry.mistake(f"{stage!r} holds no state", hint=f"types that do: {', '.join(sorted(STATEFUL))}")
    return stages


def _patterns(entry: Entry) -> tuple[str, ...]:
    patterns = entry.texts()
    for pattern in patterns:
        try:
            unfold(pattern)
        except ValueError as error:
            raise entry.mistake(f"{pattern!r} {error}") from None
    return patterns


def _pairs(entry: Entry) -> tuple[Pair, ...]:
    path = entry.path()
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = csv.reader(lines, strict=True)
            return tuple(_pair(row, f"{path}:{rows.line_num}") for row in rows if row)
    except (OSError, ValueError, csv.Error) as error:
        raise entry.mistake(f"{path} can't be read: {error}") from None


def _pair(row: list[str], where: str) -> Pair:
    match row:
        case [asset, point] if asset and point:
            return Pair(asset, point)
    raise InputError(Problem("expected an asset and a point: two columns", where))


def _limits(entry: Entry) -> Limits:
    fields = entry.fields("windows", "kind", "retry_after", "body", "pairs")
    usual = Limits()
    return Limits(
        windows=fields.get("windows", lambda windows: tuple(item.window() for item in windows.items()), ()),
        kind=fields.get("kind", lambda kind: WindowKind(kind.choice(*WindowKind)), usual.kind),
        retry_after=fields.get("retry_after", Entry.flag, usual.retry_after),
        body_bytes=fields.get("body", Entry.size, usual.body_bytes),
        pairs=fields.get("pairs", Entry.integer, usual.pairs),
    )


def _token(entry: Entry) -> TokenPolicy:
    fields = entry.fields("lifetime", "expired")
    usual = TokenPolicy()
    return TokenPolicy(
        lifetime=fields.get("lifetime", Entry.duration, usual.lifetime),
        expired=fields.get("expired", lambda expired: int(expired.choice(*_EXPIRED)), usual.expired),
    )
