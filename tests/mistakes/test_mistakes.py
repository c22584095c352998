"""Sixty ways to tell bulkstate wrong, each stopped before the first delete or named in the conclusion; and sixty runs
that are right, none of them refused. A seed makes the fleet, and which of a kind's mistakes it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.forked import Command, Done, bulkstate
from tests.mistakes.world import World, a_pair_of_worlds, standing

pytestmark = pytest.mark.mistakes

SEEDS = range(5)


@dataclass(frozen=True)
class Job:
    """What a job is made of: what stands in the configuration, its files, and its environment."""

    url: str
    organisation: str
    pipeline: str
    stages: tuple[str, ...]
    where: str
    beside: str = ""
    safety: str = ""
    allowed: str = ""
    rate: str = "1000/s"

    def text(self) -> str:
        return (
            "version: 1\n"
            f'gateway: {{url: "{self.url}", org_id: {self.organisation}, auth: {{bearer: "${{TOKEN}}"}}}}\n'
            "delete:\n"
            f"  - pipeline: {self.pipeline}\n"
            f"    stages: [{', '.join(self.stages)}]\n"
            f"    where: {self.where}\n{self.beside}"
            f"limits: {{pairs_per_request: 40, rate: {self.rate}}}\n"
            "retry: {first_delay: 5ms, max_delay: 10ms, attempts: 2}\n"
            f"safety: {{max_pairs: 1_000_000{self.safety}}}\n"
            "verify: {before: 100, sample: auto, settle: 0s}\n"
        )


class Desk:
    """Where somebody works: a folder, the two worlds, and the chance of a seed."""

    def __init__(self, folder: Path, production: World, staging: World, chance: random.Random) -> None:
        self.folder = folder
        self.production = production
        self.staging = staging
        self.chance = chance

    @property
    def job(self) -> Job:
        """The right one: all of the fleet, in both stages, from two files."""
        world = self.production
        self.write("assets.txt", "".join(f"{each}\n" for each in world.assets))
        self.write("points.txt", "".join(f"{each}\n" for each in world.points))
        where = "[{assets: assets.txt, points: points.txt}]"
        return Job(world.url, world.organisation, world.pipeline, world.stages, where)

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content)

    def table(self, name: str, pairs: list[tuple[str, str]], header: str = "asset_id,point_id") -> None:
        self.write(name, "\n".join([header, *(f"{first},{second}" for first, second in pairs)]) + "\n")

    def do(self, *arguments: str, job: Job | None = None) -> Done:
        if job is not None:
            self.write("config.yaml", job.text())
        allowed = {"BULKSTATE_ALLOW_GATEWAYS": job.allowed} if job is not None and job.allowed else {}
        return bulkstate(self.folder, *arguments, **allowed)

    def run(self, job: Job, name: str = "r") -> Done:
        return self.do("run", "config.yaml", "--yes", "--json", "--run-dir", name, job=job)

    def some(self, number: int = 5) -> list[tuple[str, str]]:
        assets = self.chance.sample(self.production.assets, number)
        return [(asset, point) for asset in assets for point in self.production.points]


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    kind, seed = request.node.callspec.params["kind"], request.node.callspec.params["seed"]
    chance = random.Random(f"{kind} {seed}")
    production, staging = a_pair_of_worlds(chance)
    with standing(production, staging):
        yield Desk(tmp_path, production, staging, chance)


Told = Callable[[Desk, int], Done]


# ── the mistakes ──────────────────────────────────────────────────────────────────────────────────────────────────


def wrong_environment(desk: Desk, seed: int) -> Done:
    """Meant was staging; or production, by what was approved for staging."""
    job, staging = desk.job, desk.staging
    match seed:
        case 0:  # the job's own list
            return desk.run(replace(job, allowed=staging.url))
        case 1:  # production's address, staging's organisation
            return desk.run(replace(job, organisation=staging.organisation))
        case 2:  # production's organisation and address, staging's pipeline
            return desk.run(replace(job, pipeline=staging.pipeline))
        case 3:  # the configuration's list
            return desk.run(replace(job, beside=f'allow: {{gateways: ["{staging.url}"]}}\n'))
    of_staging = replace(job, url=staging.url, organisation=staging.organisation, pipeline=staging.pipeline)
    approved = desk.do("plan", "config.yaml", "--json", job=of_staging).document["target"]
    assert desk.do("plan", "config.yaml", "-o", "p.plan", job=job).exit_code == 0
    return desk.do("apply", "p.plan", "--yes", "--digest", approved, "--json", "--run-dir", "r")


def wrong_prefix(desk: Desk, seed: int) -> Done:
    """TWG for WTG: all of it, or one entry of several."""
    wrong = [f"X{each[1:]}" if seed % 2 else f"{each[:1]}{each}" for each in desk.production.assets]
    desk.write("wrong.txt", "".join(f"{each}\n" for each in wrong))
    entries = [f'{{assets: ["{each}"], points: points.txt}}' for each in desk.production.assets[: 3 * seed]]
    entries.insert(desk.chance.randint(0, len(entries)), "{assets: wrong.txt, points: points.txt}")
    return desk.run(replace(desk.job, where=f"[{', '.join(entries)}]"))


def wrong_kind_of_id(desk: Desk, seed: int) -> Done:
    """Names, serial numbers, tags: IDs of another kind."""
    spell = [str.lower, lambda each: f"Turbine {each}", lambda each: f"dev:{each}", str, str][seed]
    assets = [spell(each) for each in desk.production.assets]
    points = [each.split(".")[1] if seed >= 3 else each for each in desk.production.points]
    if seed == 4:
        points = [f"{each}.value" for each in desk.production.points]
    desk.write("a.txt", "".join(f"{each}\n" for each in assets))
    desk.write("p.txt", "".join(f"{each}\n" for each in points))
    return desk.run(replace(desk.job, where="[{assets: a.txt, points: p.txt}]"))


def column_order(desk: Desk, seed: int) -> Done:
    """Asset and point changed places: in the rows, in the header, in `columns:`."""
    pairs = desk.some(4 + seed)
    if seed % 2:
        desk.table("pairs.csv", pairs, "point_id,asset_id")
    else:
        desk.table("pairs.csv", [(point, asset) for asset, point in pairs])
    where = "[{pairs: pairs.csv}]"
    if seed == 4:
        desk.table("pairs.csv", pairs, "id,tag")
        where = "[{pairs: pairs.csv, columns: {asset: tag, point: id}}]"
    return desk.run(replace(desk.job, where=where))


def wrong_stage(desk: Desk, seed: int) -> Done:
    """A stage that isn't there, alone or behind one that is."""
    right, other = desk.production.stages
    wrong = ["LastRecord_02", "lastrecord_01", "Merger", "Merger_02x", "Sink_03"][seed]
    return desk.run(
        replace(desk.job, stages=[(wrong,), (right, wrong), (other, wrong), (wrong, right), (wrong,)][seed])
    )


def file_of_another_version(desk: Desk, seed: int) -> Done:
    """A file that was changed, replaced or taken away between the plan and its day; or last year's fleet."""
    if seed == 4:
        desk.write("old.txt", "".join(f"{each}-v1\n" for each in desk.production.points))
        return desk.run(replace(desk.job, where="[{assets: assets.txt, points: old.txt}]"))
    assert desk.do("plan", "config.yaml", "-o", "p.plan", job=desk.job).exit_code == 0
    file = desk.folder / ("assets.txt" if seed % 2 else "points.txt")
    lines = file.read_text().splitlines()
    match seed:
        case 0:
            file.write_text("\n".join(lines[:-1]) + "\n")
        case 1:
            file.write_text("\n".join([*lines, "NEW-1"]) + "\n")
        case 2:
            file.unlink()
        case 3:
            file.write_text("\n".join(reversed(lines)) + "\n")
    return desk.do("apply", "p.plan", "--yes", "--json", "--run-dir", "r")


def stale_plan(desk: Desk, seed: int) -> Done:
    """A plan that was carried out already, or whose state went away since it was looked at."""
    look = ["--look"] if seed % 2 else []
    assert desk.do("plan", "config.yaml", "-o", "p.plan", *look, job=desk.job).exit_code == 0
    for stage in desk.production.stages[: 2 if not look else 1 + seed % 2]:
        desk.production.state[stage].clear()
    if seed == 4:  # half of the fleet, of two entries
        desk.production.fill()
        half = len(desk.production.assets) // 2
        first, second = desk.production.assets[:half], desk.production.assets[half:]
        desk.write("first.txt", "\n".join(first) + "\n")
        desk.write("second.txt", "\n".join(second) + "\n")
        where = "[{assets: first.txt, points: points.txt}, {assets: second.txt, points: points.txt}]"
        assert (
            desk.do("plan", "config.yaml", "-o", "p.plan", "--look", job=replace(desk.job, where=where)).exit_code == 0
        )
        for stage in desk.production.stages:
            desk.production.state[stage] -= {(a, p) for a in second for p in desk.production.points}
    elif look:
        desk.production.state = {stage: set() for stage in desk.production.stages}
    return desk.do("apply", "p.plan", "--yes", "--json", "--run-dir", "r")


def keep_that_protects_nothing(desk: Desk, seed: int) -> Done:
    """What must survive, by IDs of something else."""
    pairs = [(f"OLD{seed}-{asset}", f"{point}.old") for asset, point in desk.some(3)]
    desk.table("keep.csv", pairs)
    return desk.run(replace(desk.job, beside="    keep: keep.csv\n"))


def pipeline_changed_since(desk: Desk, seed: int) -> Done:
    """Published anew since it was approved, or started."""
    assert desk.do("plan", "config.yaml", "-o", "p.plan", "--look", job=desk.job).exit_code == 0
    if seed % 2:
        desk.production.status = ["RUNNING", "PUBLISHED", "STOPPED"][seed // 2]
    else:
        desk.production.version = f"{7 + 1 + seed}"
    return desk.do("apply", "p.plan", "--yes", "--json", "--run-dir", "r")


def double_start(desk: Desk, seed: int) -> Done:
    """The job was started twice: at once, into the same directory, or once more the day after."""
    job = desk.job
    if seed < 2:  # while the first one works
        desk.write("config.yaml", job.text().replace("rate: 1000/s", "rate: 2/s"))
        first = Command(desk.folder, "run", "config.yaml", "--yes", "--run-dir", "first")
        while first.alive and not desk.production.deletes:
            pass
        before = len(desk.production.deletes)
        done = desk.run(replace(job, where=job.where), "first" if seed else "second")
        assert len(desk.production.deletes) - before <= 20
        first.kill()
        first.ended()
        desk.production.deletes.clear()
        return done
    assert desk.run(job, "first").exit_code == 0
    desk.production.deletes.clear()
    return desk.run(job, "first" if seed == 2 else "second")


def empty_file(desk: Desk, seed: int) -> Done:
    """A file of no bytes, no rows, blank lines or comments: empty is never everything, and never nothing to do."""
    match seed:
        case 0:
            desk.write("empty.txt", "")
        case 1:
            desk.write("empty.txt", "\n\n  \n")
        case 2:
            desk.write("empty.txt", "# the fleet of 2019\n")
        case 3:
            desk.write("empty.csv", "asset_id,point_id\n")
            return desk.run(replace(desk.job, where="[{pairs: empty.csv}]"))
        case 4:
            job = replace(desk.job, beside="    keep: empty.csv\n")
            desk.write("empty.csv", "asset_id,point_id\n")
            return desk.run(job)
    return desk.run(replace(desk.job, where="[{assets: empty.txt, points: points.txt}]"))


def wrong_zone(desk: Desk, seed: int) -> Done:
    """A time of day of a zone that there isn't, or without any; or of a zone where that is soon, and the work takes
    longer."""
    if seed < 3:
        said = ["05:00 Mars/Olympus", "05:00 Europe/Berln", "05:00"][seed]
        return desk.run(replace(desk.job, safety=f', deadline: "{said}"'))
    zone = ["Asia/Tokyo", "Europe/Lisbon"][seed - 3]
    job = replace(desk.job, safety=f', deadline: "{in_zone(minutes=2, zone=zone)}"', rate="[1000/s, 7/h]")
    return desk.run(job)


def in_zone(minutes: int, zone: str) -> str:
    """The time of day there, so many minutes from now."""
    return f"{datetime.now(ZoneInfo(zone)) + timedelta(minutes=minutes):%H:%M} {zone}"


MISTAKES: dict[str, Told] = {
    each.__name__: each
    for each in (
        wrong_environment,
        wrong_prefix,
        wrong_kind_of_id,
        column_order,
        wrong_stage,
        file_of_another_version,
        stale_plan,
        keep_that_protects_nothing,
        pipeline_changed_since,
        double_start,
        empty_file,
        wrong_zone,
    )
}


CAUGHT_BY = {
    "wrong_environment": {"not_allowed", "check_failed", "digest_differs"},
    "wrong_prefix": {"nothing_there"},
    "wrong_kind_of_id": {"nothing_there"},
    "column_order": {"nothing_there"},
    "wrong_stage": {"stage_unknown"},
    "file_of_another_version": {"plan_stale", "nothing_there"},
    "stale_plan": {"plan_outdated", "nothing_there"},
    "keep_that_protects_nothing": {"keep_unmatched"},
    "pipeline_changed_since": {"plan_outdated", "check_failed"},
    "double_start": {"run_in_use", "run_exists", "nothing_there"},
    "empty_file": {"wrong_input"},
    "wrong_zone": {"wrong_input", "deadline_too_soon"},
}
"""Which guards are meant to catch a kind: no mistake is stopped by chance."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_stopped_before_the_first_delete_or_named(desk: Desk, kind: str, seed: int) -> None:
    done = MISTAKES[kind](desk, seed)
    assert done.exit_code in (2, 4, 6), (done.exit_code, done.out, done.err)
    assert desk.production.deletes == desk.staging.deletes == [], "stopped, but not before the first delete"
    assert done.document["reason_code"] in CAUGHT_BY[kind], done.document
    conclusion = done.document["conclusion"]
    assert "efused" in conclusion or "othing was" in conclusion, conclusion
    assert not conclusion.startswith("Deleted")


@pytest.mark.parametrize("kind", ["keep_by_other_assets"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_may_be_meant_so_is_named_in_the_conclusion(desk: Desk, kind: str, seed: int) -> None:
    """Kept assets of another fleet, by points of this one: a list of what must survive anywhere looks alike."""
    desk.table("keep.csv", [(f"OLD{seed}-{asset}", point) for asset, point in desk.some(3)])
    done = desk.run(replace(desk.job, beside="    keep: keep.csv\n"))
    assert done.exit_code == 0, done.err
    rows = 3 * len(desk.production.points)
    assert f"Nothing is kept by delete[0].keep (config.yaml:7): none of its {rows} rows" in done.document["conclusion"]


# ── right ones ────────────────────────────────────────────────────────────────────────────────────────────────────


def as_files(desk: Desk, seed: int) -> Done:
    return desk.run(desk.job)


def in_time(desk: Desk, seed: int) -> Done:
    """Time enough, as a span, or until a time of day in somebody's zone."""
    until = ["2h", "45m", *(in_zone(180, zone) for zone in ("Europe/Berlin", "America/New_York", "UTC"))][seed]
    return desk.run(replace(desk.job, safety=f', deadline: "{until}"'))


def allowed(desk: Desk, seed: int) -> Done:
    job = desk.job
    return desk.run(replace(job, allowed=f"{job.url}, {desk.staging.url}"))


def some_pairs(desk: Desk, seed: int) -> Done:
    desk.table("pairs.csv", desk.some(3 + seed))
    return desk.run(replace(desk.job, where="[{pairs: pairs.csv}]"))


def other_columns(desk: Desk, seed: int) -> Done:
    desk.table("pairs.csv", [(point, asset) for asset, point in desk.some(3 + seed)], "tag,machine")
    return desk.run(replace(desk.job, where="[{pairs: pairs.csv, columns: {asset: machine, point: tag}}]"))


def one_stage(desk: Desk, seed: int) -> Done:
    return desk.run(replace(desk.job, stages=(desk.production.stages[seed % 2],)))


def a_plan_of_the_day_before(desk: Desk, seed: int) -> Done:
    assert desk.do("plan", "config.yaml", "-o", "p.plan", job=desk.job).exit_code == 0
    return desk.do("apply", "p.plan", "--yes", "--json", "--run-dir", "r")


def a_plan_that_was_looked_at(desk: Desk, seed: int) -> Done:
    assert desk.do("plan", "config.yaml", "-o", "p.plan", "--look", job=desk.job).exit_code == 0
    gone = desk.production.assets[seed]  # one asset of many has lost its state: that is every day
    for stage in desk.production.stages:
        desk.production.state[stage] -= {(gone, point) for point in desk.production.points}
    return desk.do("apply", "p.plan", "--yes", "--json", "--run-dir", "r")


def approved_by_its_digest(desk: Desk, seed: int) -> Done:
    made = desk.do("plan", "config.yaml", "-o", "p.plan", "--json", job=desk.job).document
    digest = made["target" if seed % 2 else "approval"]
    return desk.do("apply", "p.plan", "--yes", "--digest", digest, "--json", "--run-dir", "r")


def keep_that_protects(desk: Desk, seed: int) -> Done:
    desk.table("keep.csv", desk.some(2 + seed)[:3])
    return desk.run(replace(desk.job, beside="    keep: keep.csv\n"))


def sparse_state(desk: Desk, seed: int) -> Done:
    """Only some of what is selected ever had state."""
    there = set(desk.chance.sample(desk.production.assets, len(desk.production.assets) // 2))
    for stage in desk.production.stages:
        desk.production.state[stage] = {pair for pair in desk.production.state[stage] if pair[0] in there}
    return desk.run(desk.job)


def pressed_twice(desk: Desk, seed: int) -> Done:
    desk.write("config.yaml", desk.job.text())
    press = ("run", "config.yaml", "--yes", "--continue", "--run-dir", "r", "--json")
    assert desk.do(*press).exit_code == 0
    return desk.do(*press)


RIGHT: dict[str, Told] = {
    each.__name__: each
    for each in (
        as_files,
        in_time,
        allowed,
        some_pairs,
        other_columns,
        one_stage,
        a_plan_of_the_day_before,
        a_plan_that_was_looked_at,
        approved_by_its_digest,
        keep_that_protects,
        sparse_state,
        pressed_twice,
    )
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_run_is_not_refused(desk: Desk, kind: str, seed: int) -> None:
    done = RIGHT[kind](desk, seed)
    assert done.exit_code == 0, (done.out, done.err)
    assert done.document["conclusion"].startswith("Deleted: all")
    assert desk.production.deletes
    assert desk.staging.calls == 0, "nobody meant staging"
