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
    limits: {windows: [20/s, 1000/min], kind: fixed, retry_after: false, told_as: 429, body: 1MiB, pairs: 100000}
    token: {lifetime: 2h, expired: 401}                                             # or 4011: HTTP 200 with apim_status

Paths are relative to the file's folder. A secret in such a file is the emulator's own, good for nothing else.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from bulkstate.emulator.amounts import OneOfNumbers, Seconds
from bulkstate.emulator.limits import WindowKind
from bulkstate.errors import InputError, Problem
from bulkstate.forms import documents
from bulkstate.forms.place import Place
from bulkstate.forms.sections import Either, Found, ListOf, Made, Section
from bulkstate.forms.single import AnyText, Choice, FilePath, Flag, JsonObject, RateOf, Size, Version, Whole
from bulkstate.gateway.wire import PAIRS_PER_REQUEST
from bulkstate.model import Pair, PipelineStatus
from bulkstate.pairs.patterns import unfold
from bulkstate.rates import Rate

MEBIBYTE: Final = 1024 * 1024

GENERIC: Final = ("LastRecordAppender", "LastChangedRecordAppender", "LatestRecordMerger", "RecordCapturer")
TAGGERS: Final = ("LatePointTagger",)
AGGREGATORS: Final = ("FixedTimeWindowAggregator", "SlidingTimeWindowAggregator")
STATEFUL: Final = frozenset((*GENERIC, *TAGGERS, *AGGREGATORS))
"""The types of stage whose state can be read and deleted (enos-api): the generic ones, type 2 and type 3."""


def type_of(stage: str) -> str:
    """The type of operator that a stage's name begins with: `LastRecordAppender_01` is a LastRecordAppender."""
    return stage.rpartition("_")[0]


def holds_state(stage: str) -> bool:
    """Whether a stage of that name is of a supported type."""
    return type_of(stage) in STATEFUL


@dataclass(frozen=True, slots=True)
class Application:
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
class GatewayLimits:
    """What the gateway refuses: calls over `windows` (none by default), bodies over `body` bytes (413), and more than
    `pairs` pairs in a call (61105).

    A call too many is told as a 429, or as what `told_as` says that other gateways say: a 61199 is at HTTP 200.
    `retry_after` adds that header: nobody documents that it comes.
    """

    windows: Annotated[tuple[Rate, ...], ListOf(RateOf(), "limits", least=0), "Calls allowed, by all callers."] = ()
    kind: Annotated[WindowKind, Choice(WindowKind), "Where a window begins."] = WindowKind.FIXED
    retry_after: Annotated[bool, Flag(), "Whether a refusal says when to come again."] = False
    told_as: Annotated[int, OneOfNumbers((429, 430, 503, 61199)), "How a refusal is told."] = 429
    body: Annotated[int, Size(1, 1 << 40), "The largest body in bytes, such as 1MiB."] = MEBIBYTE
    pairs: Annotated[int, Whole(0, 10**17), "The most pairs that a call may name."] = PAIRS_PER_REQUEST


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Seconds that a token is good for, and how an expired one shows: as HTTP 401, or as 200 with apim_status 4011."""

    lifetime: Annotated[float, Seconds(), "How long a token is good for."] = 7200.0
    expired: Annotated[int, OneOfNumbers((401, 4011)), "How an expired one shows: 401, or 4011."] = 401


@dataclass(frozen=True, slots=True)
class World:
    """One organisation and everything in it. None for `organisation` or `credentials`: made up at every start."""

    organisation: str | None = None
    credentials: Application | None = None
    pipelines: tuple[PipelineSeed, ...] = ()
    limits: GatewayLimits = GatewayLimits()
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
    """Read a world file. InputError, with file, line and field, for every mistake in it."""
    return documents.load(_WORLD, path)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An ID, or a pattern of IDs."""

    def read(self, at: Place) -> str:
        pattern = at.text("an ID or a pattern")
        try:
            unfold(pattern)
        except ValueError as error:
            raise at.mistake(f"{pattern!r} {error}") from None
        return pattern

    def schema(self) -> JsonObject:
        return AnyText().schema()


@dataclass(frozen=True, slots=True)
class _PairsFile:
    """The path of a file of pairs, a line each."""

    def read(self, at: Place) -> tuple[Pair, ...]:
        path = FilePath().read(at)
        try:
            with path.open(newline="", encoding="utf-8") as lines:
                rows = csv.reader(lines, strict=True)
                return tuple(_pair(row, f"{path}:{rows.line_num}") for row in rows if row)
        except (OSError, ValueError, csv.Error) as error:
            raise at.mistake(f"{path} can't be read: {error}") from None

    def schema(self) -> JsonObject:
        return FilePath().schema()


def _pair(row: list[str], where: str) -> Pair:
    match row:
        case [asset, point] if asset and point:
            return Pair(asset, point)
    raise InputError(Problem("expected an asset and a point: two columns", where))


_STAGE_NAMES: Final = ListOf(AnyText("a stage"), "stages")
_PATTERNS: Final = ListOf(_Pattern(), "patterns")


@dataclass(frozen=True, slots=True)
class _StateKeys:
    assets: Annotated[tuple[str, ...], _PATTERNS, "Asset IDs or patterns."] = ()
    points: Annotated[tuple[str, ...], _PATTERNS, "Point IDs or patterns: every asset has every point."] = ()
    pairs: Annotated[tuple[Pair, ...] | None, _PairsFile(), "A file of single pairs, `asset,point` a line."] = None
    stages: Annotated[tuple[str, ...], _STAGE_NAMES, "Those that have it: all that hold state unless named."] = ()
    model: Annotated[str, AnyText("a model"), "The assets' model."] = ""

    def state(self, of_pipeline: tuple[str, ...]) -> StateBlock | StatePairs:
        stages = self.stages or tuple(filter(holds_state, of_pipeline))
        if self.pairs is not None:
            return StatePairs(stages, self.pairs, self.model)
        return StateBlock(stages, self.assets, self.points, self.model)


_STATE: Final = Section(_StateKeys, (Either(("assets", "points"), "pairs", "every asset of a block has every point"),))


@dataclass(frozen=True, slots=True)
class _PipelineKeys:
    id: Annotated[str, AnyText("an ID"), "The pipeline's ID."]
    status: Annotated[PipelineStatus, Choice(PipelineStatus), "Its status before the first call."]
    stages: Annotated[tuple[str, ...], _STAGE_NAMES, "Its stages, also those that hold no state."]
    name: Annotated[str, AnyText("a name"), "Its name, its ID unless it has one."] = ""
    state: Annotated[tuple[_StateKeys, ...], ListOf(_STATE, "blocks or pairs", least=0), "What its stages hold."] = ()

    def seed(self) -> PipelineSeed:
        state = tuple(each.state(self.stages) for each in self.state)
        return PipelineSeed(self.id, self.name or self.id, self.status, self.stages, state)


def _stages_make_sense(found: Found) -> Iterator[Problem]:
    stages, states = found.values.get("stages"), found.values.get("state")
    if not isinstance(stages, tuple):
        return
    if len(set(stages)) < len(stages):
        yield found.problem("stages", "a stage is named twice")
    if isinstance(states, tuple):
        for state, at in zip(states, found.written["state"].items(), strict=True):
            yield from _those_hold_state(state.stages, stages, dict(at.entries()).get("stages", at))


def _those_hold_state(named: tuple[str, ...], of_pipeline: tuple[str, ...], at: Place) -> Iterator[Problem]:
    for stage in named:
        if stage not in of_pipeline:
            yield at.problem(f"the pipeline has no stage {stage!r}")
        elif not holds_state(stage):
            yield at.problem(f"{stage!r} holds no state", f"types that do: {', '.join(sorted(STATEFUL))}")


_PIPELINE: Final = Made(Section(_PipelineKeys, (_stages_make_sense,)), _PipelineKeys.seed)


@dataclass(frozen=True, slots=True)
class _WorldKeys:
    pipelines: Annotated[tuple[PipelineSeed, ...], ListOf(_PIPELINE, "pipelines", least=0), "What there is."]
    organisation: Annotated[str | None, AnyText("an ID"), "Made up at every start if left out."] = None
    app_key: Annotated[str | None, AnyText("a key"), "The application's key, made up likewise."] = None
    app_secret: Annotated[str | None, AnyText("a secret"), "Its secret, good for nothing else."] = None
    limits: Annotated[GatewayLimits, Section(GatewayLimits), "What the gateway refuses."] = GatewayLimits()
    token: Annotated[TokenPolicy, Section(TokenPolicy), "How long tokens are good for."] = TokenPolicy()
    version: Annotated[int, Version(1), "The version of this tree, 1."] = 1

    def world(self) -> World:
        credentials = Application(self.app_key, self.app_secret) if self.app_key and self.app_secret else None
        return World(self.organisation, credentials, self.pipelines, self.limits, self.token)


def _keys_belong_together(found: Found) -> Iterator[Problem]:
    there = found.written.keys() & {"app_key", "app_secret"}
    for name in {"app_key", "app_secret"} - there if there else ():
        yield found.problem(name, "is missing", "a key and its secret belong together")


def _ids_differ(found: Found) -> Iterator[Problem]:
    pipelines = found.values.get("pipelines")
    if isinstance(pipelines, tuple) and max(Counter(each.id for each in pipelines).values(), default=0) > 1:
        yield found.problem("pipelines", "two pipelines have the same id")


_WORLD: Final = Made(Section(_WorldKeys, (_keys_belong_together, _ids_differ)), _WorldKeys.world)
