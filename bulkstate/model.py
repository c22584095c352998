"""The frozen nouns that every room speaks of.

IDs are strings as the gateway knows them. Large sets of IDs are kept once, in a dictionary (a sorted tuple of
strings), and named by their positions in it: an `IndexArray`.

It is one long page on purpose: small values without behaviour, which are easiest to find where the others are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from typing import Final, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

IndexArray: TypeAlias = NDArray[np.int32]
"""Positions in a dictionary of IDs: ascending, each once."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, order=True)
class Stage:
    """One operator of one stream pipeline: what holds state per (asset, point)."""

    pipeline: str
    name: str

    def __str__(self) -> str:
        return f"{self.pipeline}/{self.name}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One request's worth of pairs: every asset with every point, in one stage. `number` is its place in the plan."""

    number: int
    stage: Stage
    assets: tuple[str, ...]
    points: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """How many pairs the request names."""
        return len(self.assets) * len(self.points)


@dataclass(frozen=True, slots=True, eq=False)
class Rectangle:
    """A biclique: every one of `assets` with every one of `points`, as positions in a stage's dictionaries."""

    assets: IndexArray
    points: IndexArray

    @property
    def pairs(self) -> int:
        """How many pairs the rectangle holds."""
        return len(self.assets) * len(self.points)


class Argument(StrEnum):
    """Why pairs need so many requests."""

    PAIRS = "pairs_per_request"
    """No request holds more of them than `load`, the most pairs of a request."""
    WEIGHTS = "weights"
    """No request holds more than `load` of their weights."""
    DIFFERENT_ASSETS = "different_assets"
    """The assets' points are all different. An asset's points are the union of those of the requests it is in: k
    requests make at most 2^k - 1 different ones, and if no asset's lie inside another's, at most C(k, k/2)."""
    DIFFERENT_POINTS = "different_points"
    """As `DIFFERENT_ASSETS`, with the sides changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Target pairs that need requests of their own: no request holds some of them and some of other evidence.

    They are the target pairs inside `blocks`, and `argument` says how many requests they need. By pairs or weights:
    ceil(weight / `load`), where each weighs 1, or what `weights` says of its block. By different assets or points: what
    makes so many; there is one block, and `load` is 1.
    """

    blocks: tuple[Rectangle, ...]
    load: int
    weights: tuple[int, ...] = ()
    argument: Argument = Argument.PAIRS


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring positions, from `start` up to and without `end`."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def halves(self) -> tuple[Span, Span]:
        """Its two halves; there are two positions or more."""
        middle = (self.start + self.end) // 2
        return Span(self.start, middle), Span(middle, self.end)

    def within(self, size: int) -> bool:
        """Whether it holds a position, and none beyond the first `size`."""
        return 0 <= self.start < self.end <= size


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk made of another one, its parent, which may be a part itself: some of its assets with some of its points.

    The spans count among the parent's own. Numbers go on where the plan's end.
    """

    number: int
    parent: int
    assets: Span
    points: Span


Cut: TypeAlias = tuple[Span, Span]
"""Which of a chunk's assets, and which of its points."""


@dataclass(frozen=True, slots=True)
class LowerBound:
    """No plan of this stage can have fewer requests than `requests`; `proof` says why, in words.

    `evidence` can be checked without knowing how it was found.
    """

    requests: int
    proof: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, eq=False)
class StagePlan:
    """The chunks of one stage, as rectangles over its dictionaries.

    Rectangles may overlap. `pairs` counts the target pairs, each once; `unlisted` holds those that are covered though
    nobody selected them, each once; `kept_pairs` counts those that were selected and aren't in the target, because they
    are kept.
    """

    stage: Stage
    assets: tuple[str, ...]
    points: tuple[str, ...]
    rectangles: tuple[Rectangle, ...]
    pairs: int
    lower_bound: LowerBound
    unlisted: tuple[Rectangle, ...] = ()
    kept_pairs: int = 0

    @property
    def unlisted_pairs(self) -> int:
        """How many pairs are covered though nobody selected them."""
        return sum(rectangle.pairs for rectangle in self.unlisted)

    @property
    def overlaps(self) -> bool:
        """Whether a pair is in more than one rectangle."""
        return sum(rectangle.pairs for rectangle in self.rectangles) > self.pairs + self.unlisted_pairs

    def spelt_out(self, number: int, rectangle: Rectangle) -> Chunk:
        """A rectangle over the stage's dictionaries, as chunk `number`."""
        assets = tuple(map(self.assets.__getitem__, rectangle.assets.tolist()))
        points = tuple(map(self.points.__getitem__, rectangle.points.tolist()))
        return Chunk(number, self.stage, assets, points)


class RemarkKind(StrEnum):
    """What in an entry of the selection does nothing, or isn't known to be right."""

    NO_ASSET = "no_selected_asset"
    """Rows to keep or to look at, of assets that aren't selected."""
    NO_POINT = "no_selected_point"
    """Rows of selected assets, with points that aren't."""
    NO_PAIR = "no_selected_pair"
    """Rows of a selected asset and a selected point that aren't selected together."""
    KEEPS_NOTHING = "keeps_nothing"
    """Not one of the rows to keep would be deleted without them, in any stage."""
    REPEATED = "selected_more_than_once"
    NOTHING_NEW = "selects_nothing_new"
    """All that the entry selects is selected by others as well."""
    OVERLOOKED = "not_looked_at"
    """There is no room for the entry among what is looked at before the first delete, or all of it is kept."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What does nothing in one entry, or isn't known to be right: `count` `of` its rows, IDs or pairs.

    `entry` is where it stands.
    """

    entry: str
    kind: RemarkKind
    count: int
    of: int
    examples: tuple[str, ...] = ()


class Effort(StrEnum):
    """How hard fewer requests are looked for, in steps: the same effort makes the same plan on every machine."""

    AUTO = "auto"
    """As hard as saves more time in sending than it costs: one of the others, which the plan names."""
    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is going to be sent: chunks 0 to `requests` - 1, in stage order.

    `digest` is the SHA-256 (hex) of the canonical chunks: equal digests delete the same pairs by the same requests.
    `body_bytes` is the size of all request bodies together, in bytes. A plan whose search was bound by time, not by
    steps, isn't `reproducible`. `remarks` say what in the selection does nothing.
    `effort` is never AUTO; None in plans of earlier versions, which didn't say.
    """

    stages: tuple[StagePlan, ...]
    digest: str
    body_bytes: int
    reproducible: bool = True
    remarks: tuple[Remark, ...] = ()
    effort: Effort | None = None

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(len(stage.rectangles) for stage in self.stages))

    @property
    def requests(self) -> int:
        """How many chunks there are."""
        return self._ends[-1] if self._ends else 0

    @property
    def pairs(self) -> int:
        """How many target pairs there are, over all stages."""
        return sum(stage.pairs for stage in self.stages)

    @property
    def unlisted_pairs(self) -> int:
        """How many pairs are covered though nobody selected them, over all stages."""
        return sum(stage.unlisted_pairs for stage in self.stages)

    @property
    def kept_pairs(self) -> int:
        """How many selected pairs are kept, over all stages."""
        return sum(stage.kept_pairs for stage in self.stages)

    @property
    def lower_bound(self) -> int:
        """The fewest requests that any plan could need, over all stages."""
        return sum(stage.lower_bound.requests for stage in self.stages)

    def place(self, number: int) -> tuple[StagePlan, int]:
        """The stage that chunk `number` belongs to, and its position there."""
        index = bisect_right(self._ends, number)
        start = self._ends[index - 1] if index else 0
        return self.stages[index], number - start

    def chunk(self, number: int) -> Chunk:
        """Chunk `number`, spelt out. IndexError if the plan has no such chunk."""
        if not 0 <= number < self.requests:
            raise IndexError(number)
        stage, position = self.place(number)
        return stage.spelt_out(number, stage.rectangles[position])

    def chunks(self) -> Iterator[Chunk]:
        """All chunks in order, spelt out one at a time."""
        return map(self.chunk, range(self.requests))


class Answer(StrEnum):
    """What an answer means, for any call: the rows of the table in docs/architecture.md."""

    OK = "ok"
    THROTTLED = "throttled"
    UNANSWERED = "unanswered"
    """It may have arrived, and no whole answer came."""
    UNREACHED = "unreached"
    """No connection: it never arrived."""
    UNAVAILABLE = "unavailable"
    """500, 502, 503, 504, or a body that isn't JSON."""
    UNDECIDED = "undecided"
    """`data` false or missing, 61199, 1005, or something that nobody documented."""
    TOO_LARGE = "too_large"
    CREDENTIALS = "credentials"
    REFUSED = "refused"
    STAGE_REFUSED = "stage_refused"
    GATEWAY_REFUSED = "gateway_refused"


class Absence(StrEnum):
    """How it came that there is no whole answer."""

    LATE = "late"
    """It took too long."""
    SILENT = "silent"
    """The connection was closed or reset before a byte of it came."""
    STALE = "stale"
    """So was one that had been kept: most likely it had ended before."""
    BROKEN = "broken"
    """It was cut off, isn't HTTP, or may be another request's."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer's headers say of one of the gateway's limits: of `limit` calls in `seconds`, `remaining` are left
    until a new window begins, `reset_after` seconds from the answer. None: not told. Numbers are finite, 0 or more."""

    limit: float | None = None
    seconds: float | None = None
    remaining: float | None = None
    reset_after: float | None = None


@dataclass(frozen=True, slots=True)
class Reply(Generic[T_co]):
    """One answer, or its absence, in the project's words.

    `status` is HTTP's and `code` the JSON's, None where there was none. `data` is the payload of an `OK` answer.
    `retry_after` is the gateway's wish in seconds from the answer, None if it named none. `limits` are what its headers
    say of its limits, which may be anything but the truth. `absence` says what became of the answer to a call that is
    `UNANSWERED`, if that is known. `resent`: the call was made twice, and the first time, on a kept connection that
    turned out to be dead, it may have arrived.
    """

    answer: Answer
    status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str | None = None
    data: T_co | None = None
    retry_after: float | None = None
    limits: tuple[Told, ...] = ()
    absence: Absence | None = None
    resent: bool = False


def describe(reply: Reply[object]) -> str:
    """An answer in one line, for people: HTTP status, code, message and request ID, as far as there are any."""
    parts = [
        f"HTTP {reply.status}" if reply.status is not None else "no answer",
        f"code {reply.code}" if reply.code is not None else "",
        reply.message,
        f"request {reply.request_id}" if reply.request_id else "",
    ]
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T_co]):
    """One call and what came of it. `sent_at` is in seconds of the event loop's clock; `seconds` until the answer. The
    answer says that it was made at `date`, in whole UNIX seconds of the gateway's clock."""

    reply: Reply[T_co]
    sent_at: float
    seconds: float
    body_bytes: int = 0
    date: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """One asset with one point."""

    asset: str
    point: str


KEPT: Final = "keep"
"""In place of an entry of `where`: a pair that is kept was looked at."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A target pair that was looked at, in which stage, by which read, and by which entry of `where` it is selected.

    `state` says whether it had any, None where the read failed.
    """

    read: int
    stage: Stage
    entry: str
    pair: Pair
    state: bool | None


class PipelineStatus(StrEnum):
    """What List Pipelines can say of a pipeline (enos-api: the only documented source of a status)."""

    PUBLISHED = "PUBLISHED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A row of List Pipelines. `status` is kept as sent: the gateway may know more of them than we do.

    `updated` is its `updateTime`, as sent: it changes when the pipeline does. Empty, like `version`, if it wasn't told.
    """

    id: str
    name: str
    status: str
    version: str = ""
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """How a pipeline is started: in which mode (0 or 1), with how many Kafka records a second, and with which
    resources, as JSON text that means something to the platform alone; empty: none are named."""

    execution_mode: int
    kafka_rate: int
    resource_config: str = ""


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What was seen `at` UNIX seconds, when a plan was made: the pipelines, and what of the pairs to be looked at has
    state."""

    at: float
    pipelines: tuple[Pipeline, ...] = ()
    looked_at: tuple[LookedAt, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineSeen:
    """What a run saw of a pipeline: its status `before` the first delete, and `now`, when it was last read.

    `at` is in UNIX seconds. A status is empty, and a time None, where nobody could say. A pipeline that isn't listed
    has no name and no `version`. `paused_by` is who paused it for the run, empty if that wasn't done for it;
    `started_again`: the run did that when it was done.
    """

    id: str
    name: str = ""
    before: str = ""
    now: str = ""
    at: float | None = None
    version: str = ""
    paused_by: str = ""
    started_again: bool = False


THIS_RUN: Final = "this run"
SOMEBODY_ELSE: Final = "somebody else"
"""Who paused a pipeline, in the words of journal and report."""


@dataclass(frozen=True, slots=True)
class PipelinePage:
    """One page of List Pipelines; `count` is how many there are on all pages."""

    count: int
    pipelines: tuple[Pipeline, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how many seconds it is good for."""

    value: str = field(repr=False)
    expire: float


class Verdict(StrEnum):
    """How a chunk ended (law 3)."""

    DELETED = "deleted"
    REFUSED = "refused"
    """The API said no, and will again."""
    EXHAUSTED = "exhausted"
    """Retries used up, and every attempt was answered."""
    UNKNOWN = "unknown"
    """An attempt may have arrived and was never answered."""
    SUSPECT = "suspect"
    """Deleted while the pipeline may have been running."""
    NOT_SENT = "not_sent"
    SPLIT = "split"
    """Its parts answer for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A chunk's record. The last one of a chunk counts.

    `attempts` are the deletes sent since the chunk's previous record, without the `throttled` ones (429).
    Times are UNIX seconds, None if nothing was sent; `body_bytes` is the size of one request body. `parts` answer for
    the chunk if it was split, and together they are the chunk; else there are none.
    """

    chunk: int
    verdict: Verdict
    attempts: int = 0
    throttled: int = 0
    status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str | None = None
    body_bytes: int = 0
    first_sent_at: float | None = None
    last_answered_at: float | None = None
    parts: tuple[Part, ...] = ()

    @property
    def takes_back(self) -> bool:
        """The chunk's record before this one said `deleted`, which has come into doubt: nothing was sent since."""
        doubted = self.verdict is Verdict.UNKNOWN and self.first_sent_at is None and self.last_answered_at is not None
        return doubted or self.verdict is Verdict.SUSPECT


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make `calls` calls from `at` (UNIX seconds) on; of the grant before, `spent` calls were made.

    It is on disk before the first of its calls, so that a killed run knows the most it can have sent (law 5).
    """

    at: float
    calls: int
    spent: int


@dataclass(frozen=True, slots=True)
class Use:
    """What somebody asked of a run `at` UNIX seconds, while it ran: a command of `bulkstate ctl`, or a file PAUSE."""

    at: float
    command: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A run's course over the `seconds` that end at `at` (UNIX seconds).

    `rate` are the deletes sent a second, `limit` as many as were let through at the most; `in_flight` deletes waited
    for an answer at the end. `refused` of them got a 429. `p50` and `p99` are percentiles of the latency in seconds,
    0 without an answer. `held_by` is what held the run back most of that time, and `which` limit, if it has a name.
    """

    at: float
    seconds: float
    rate: float
    limit: float
    in_flight: int
    refused: int
    p50: float
    p99: float
    held_by: str
    which: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What held a run back for a share of its time, from 0 to 1; `which` limit, if it has a name."""

    by: str
    which: str
    share: float


class RunResult(StrEnum):
    """How a run ended, in one word; or that it goes on."""

    RUNNING = "running"
    DELETED = "deleted"
    PARTIAL = "partial"
    REFUSED = "refused"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read back: `sampled` target pairs, of which `remaining` still had state.

    Of the pairs outside the target, `witnesses` had state before the run; `witnesses_lost` of them have none after it.
    Of the run's `of_requests` deleted requests, `requests` were drawn at random and read back whole, and pairs of
    `requests_remaining` had state; `at_most` as many of all do, with a confidence of 95 %.
    """

    sampled: int = 0
    remaining: int = 0
    witnesses: int = 0
    witnesses_lost: int = 0
    requests: int = 0
    of_requests: int = 0
    requests_remaining: int = 0
    at_most: int = 0

    @property
    def clean(self) -> bool:
        """Everything that was looked at is as it should be."""
        return not self.doubts

    @property
    def doubts(self) -> str:
        """What isn't as it should be, in words; empty if all is."""
        remaining = f"{self.remaining:,} of {self.sampled:,} pairs that were read back still have state"
        lost = f"{self.witnesses_lost:,} of {self.witnesses:,} witness pairs have lost their state"
        return "; ".join(text for number, text in ((self.remaining, remaining), (self.witnesses_lost, lost)) if number)


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """How many chunks ended how. A chunk without a record counts as not sent.

    `planned` are the plan's. The others add up to those and to the parts of the `split` ones.
    """

    planned: int = 0
    deleted: int = 0
    refused: int = 0
    exhausted: int = 0
    unknown: int = 0
    suspect: int = 0
    not_sent: int = 0
    split: int = 0

    @property
    def unsplit(self) -> int:
        """Those that were not split: of a split one its parts count."""
        return self.deleted + self.refused + self.exhausted + self.unknown + self.suspect + self.not_sent


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage's share of a run. `pairs_deleted` counts target pairs inside deleted chunks, each once."""

    stage: Stage
    chunks: ChunkCounts
    pairs_planned: int
    pairs_deleted: int
    attempts: int
    retries: int
    throttled: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A chunk that isn't deleted, for the list in the report."""

    chunk: int
    stage: Stage
    pairs: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Blamed:
    """An asset or a point, or one with the other, to blame for `pairs` pairs of a stage that can't be deleted.

    `code` is what the API says of them.
    """

    stage: Stage
    asset: str | None
    point: str | None
    code: int | None
    pairs: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run's last session ended, beside what became of its chunks.

    `by` is the reason code of what ended it early, empty if it went to its end, None if no ending is recorded: then a
    process works on it, if `running`, or it was killed, or could write no more, after `at` (UNIX seconds), when it was
    last heard of. `unread` says why what is left
    could not be read back. `pipelines` are what it saw of them.
    """

    by: str | None = ""
    at: float | None = None
    unread: str = ""
    pipelines: tuple[PipelineSeen, ...] = ()
    running: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """How a run's journal is chained: the version of its `format`, how many `links`, and the last of them, its `head`.

    Without links (format 2) nobody can tell whether the journal was changed.
    """

    format: int
    links: int = 0
    head: str = ""

    def __str__(self) -> str:
        if not self.links:
            return f"journal of format {self.format}, without a chain"
        return f"journal of {self.links:,} links to {self.head}"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a plan was made of. `rows` is None where nobody counted them."""

    file: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """Somebody agreed to a run `at` UNIX seconds: `how`, and `by` whom, empty where that isn't known."""

    how: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one process's work on a run: which `user` of which `host`, the CI system's name, where its job is found and of
    which commit it is, and what people call the reason for it all; `zone` is the host's, as in `+0100 CET`.
    `clock_ahead` is how many seconds the host's clock was ahead of the gateway's. `at` is UNIX seconds. What isn't
    known is empty, or None."""

    user: str = ""
    host: str = ""
    ci: str = ""
    job: str = ""
    commit: str = ""
    reference: str = ""
    zone: str = ""
    clock_ahead: float | None = None
    at: float = 0.0

    @property
    def who(self) -> str:
        """User and host in one."""
        return "@".join(filter(None, (self.user, self.host)))


@dataclass(frozen=True, slots=True)
class Phase:
    """What a run had come to `at` UNIX seconds."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Guard:
    """One of the guards: its key in the configuration, what it says, and whether it guards anything so."""

    key: str
    value: str
    on: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan names: so many different assets and points, over all stages; so many selected pairs are kept."""

    assets: int = 0
    points: int = 0
    kept_pairs: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """How long calls took, in seconds, second by second: the median of the seconds' medians, and the worst of what 99
    of 100 calls of a second stayed within."""

    median: float
    worst: float


@dataclass(frozen=True, slots=True)
class DoneBy:
    """A session has to be done `at` UNIX seconds; `words` are what was asked for: a time to spend, or a time of day."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run's journal says of where it came from: which gateway, whose pipelines, begun when, by which version, of
    which files; `target` and `approval` are the digests of what was agreed to, empty if nobody made them."""

    gateway: str = ""
    organisation: str = ""
    credentials: tuple[str, ...] = ()
    """Names of environment variables."""
    started: float | None = None
    version: str = ""
    chain: Chain | None = None
    target: str = ""
    approval: str = ""
    inputs: tuple[InputFile, ...] = ()
    agreed: Agreed | None = None
    configuration: str = ""
    """The SHA-256 of the configuration that the run keeps."""
    circumstances: tuple[Circumstances, ...] = ()
    """Those of each process that worked on it, in order."""
    verified_by: str = ""
    """Who read back last."""
    phases: tuple[Phase, ...] = ()
    done_by: DoneBy | None = None
    """By when the last session that had a deadline had to be done."""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run, folded from its journal. `seconds` run from the first call to the last answer of each session.

    `unlisted_pairs` were planned to be deleted though nobody selected them. `held` says what held the run back,
    most of the time first; `uses` what was asked of it while it ran, in order; `remarks` what in the selection does
    nothing; `blamed` which IDs can't be deleted, those of most pairs first. `before` was looked at before the first
    delete, `after` is the same when all was over, as far as it was read again. `guards` are those of the configuration.
    `witness_less`: witnesses were named, and none of them had state before.
    """

    run: str
    run_dir: str
    plan: str
    result: RunResult
    reason: str
    stages: tuple[StageReport, ...]
    chunks: ChunkCounts
    pairs_planned: int
    pairs_deleted: int
    attempts: int
    retries: int
    throttled: int
    seconds: float
    verified: Verification | None
    failures: tuple[Failure, ...]
    unlisted_pairs: int = 0
    held: tuple[Held, ...] = ()
    uses: tuple[Use, ...] = ()
    ended: Ended = Ended()
    origin: Origin = Origin()
    before: tuple[LookedAt, ...] = ()
    after: tuple[LookedAt, ...] = ()
    remarks: tuple[Remark, ...] = ()
    blamed: tuple[Blamed, ...] = ()
    asked: Asked = Asked()
    latency: Latency | None = None
    guards: tuple[Guard, ...] = ()
    witness_less: bool = False

    @property
    def requests_per_second(self) -> float:
        """Deletes sent (throttled ones included) a second, 0 if the run took no time."""
        return (self.attempts + self.throttled) / self.seconds if self.seconds else 0.0
