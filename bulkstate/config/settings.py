"""The configuration, frozen: these declarations are what is read, what the schema says, and what the program is given.

Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from bulkstate.config.gateway import GATEWAY, Embedded, Gateway
from bulkstate.config.selected import ENTRIES, PairsOf, agreed_on_names, agreed_on_unlisted
from bulkstate.errors import Problem
from bulkstate.forms.place import Place
from bulkstate.forms.sections import Found, ListOf, Made, Maybe, OneOrMore, Section
from bulkstate.forms.single import (
    AutoOr,
    Choice,
    Duration,
    FilePath,
    Flag,
    JsonObject,
    JsonText,
    RateOf,
    ShareOf,
    Size,
    Text,
    Version,
    Whole,
    fits,
)
from bulkstate.forms.values import A_FIFTH, A_TENTH, AUTO, DURATION_PATTERN, WHOLE, Auto, Share
from bulkstate.gateway.wire import PAIRS_PER_REQUEST
from bulkstate.model import Effort, Start
from bulkstate.policy.deadline import TIME_OF_DAY_PATTERN, Deadline, parse_deadline
from bulkstate.policy.retry import RetryPolicy
from bulkstate.policy.sampling import Sample, parse_sample
from bulkstate.rates import Rate
from bulkstate.selection import Entry, PairSource

VERSION: Final = 1
MOST_CONCURRENCY: Final = 1000

RequireState: TypeAlias = Literal["any", "none"] | Share
"""How much of what is looked at has to have state, in every entry: any of it, none, or a share."""


@dataclass(frozen=True, slots=True)
class SampleOf:
    """`auto`, a number, a share, `all` or `none`."""

    def read(self, at: Place) -> Sample:
        """What to draw; 0 for `none`."""
        try:
            return parse_sample(at.resolved(at.scalar("auto, a number, a share such as 5%, all or none").text))
        except ValueError as error:
            raise at.expected(str(error)) from None

    def schema(self) -> JsonObject:
        """The words, a share or a number."""
        return {"anyOf": [{"enum": ["auto", "all", "none"]}, ShareOf().schema(), Whole(0, 10**12).schema()]}


@dataclass(frozen=True, slots=True)
class PairsToLookAt:
    """A number of pairs, or `none`."""

    _number: ClassVar = Whole(0, 100_000, "a number of pairs, or none")

    def read(self, at: Place) -> int:
        """The number, 0 for `none`."""
        text = at.resolved(at.scalar(self._number.what).text)
        return 0 if text == "none" else self._number.read(at)

    def schema(self) -> JsonObject:
        """The word, or a number."""
        return {"anyOf": [{"const": "none"}, self._number.schema()]}


@dataclass(frozen=True, slots=True)
class StateRequired:
    """`any`, `none` or a share."""

    def read(self, at: Place) -> RequireState:
        """The word, or the share."""
        text = at.resolved(at.scalar("any, none or a share such as 1%").text)
        match text:
            case "any" | "none":
                return text
        return ShareOf().read(at)

    def schema(self) -> JsonObject:
        """The words, or a share."""
        return {"anyOf": [{"enum": ["any", "none"]}, ShareOf().schema()]}


@dataclass(frozen=True, slots=True)
class FailuresAllowed:
    """A number, or a share."""

    _number: ClassVar = Whole(0, 10**12, "a number of requests, or a share such as 10%")

    def read(self, at: Place) -> int | Share:
        """The number, or the share."""
        text = at.resolved(at.scalar(self._number.what).text)
        return ShareOf().read(at) if text.endswith("%") else self._number.read(at)

    def schema(self) -> JsonObject:
        """A share, or a number."""
        return {"anyOf": [ShareOf().schema(), self._number.schema()]}


@dataclass(frozen=True, slots=True)
class DeadlineOf:
    """A time to spend, or a time of day with its zone."""

    def read(self, at: Place) -> Deadline:
        """It."""
        try:
            return parse_deadline(at.resolved(at.scalar("a time to spend such as 45m, or 05:00 Europe/Berlin").text))
        except ValueError as error:
            raise at.expected(str(error)) from None

    def schema(self) -> JsonObject:
        """The patterns; whether a zone is known is left to reading."""
        return fits(DURATION_PATTERN, TIME_OF_DAY_PATTERN)


class UnknownStage(StrEnum):
    """What to do about a stage that the gateway doesn't know."""

    REFUSE = "refuse"
    SKIP = "skip"
    """Leave it out, and do the others."""


class OnUnpause(StrEnum):
    """What to do when somebody starts a pipeline whose state is being deleted."""

    STOP = "stop"
    WAIT = "wait"
    """Hold deletes until it is paused again, as long as an outage may last, and send again what is suspect."""


@dataclass(frozen=True, slots=True)
class Planning:
    """How hard the planner tries."""

    effort: Annotated[
        Effort,
        Choice(Effort),
        "How long to look for fewer requests, in steps: the same plan on every machine; auto: as saves time.",
    ] = Effort.AUTO


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold, and how many may go out. Every rate is honoured, wherever its window starts; `auto`
    finds out what the gateway allows, and never goes over a rate beside it."""

    rate: Annotated[
        tuple[Rate | Auto, ...],
        OneOrMore(AutoOr(RateOf()), "rates"),
        "Calls allowed: 20/s, or [20/s, 1000/min]; auto finds out, and [auto, 1000/min] does up to a rate.",
    ] = (AUTO,)
    pairs_per_request: Annotated[
        int, Whole(1, PAIRS_PER_REQUEST), "Most pairs (assets × points) that one request names."
    ] = PAIRS_PER_REQUEST
    bytes_per_request: Annotated[int, Size(1 << 10, 64 << 20), "Largest request body, such as 1MiB."] = 1 << 20
    concurrency: Annotated[
        int | Auto,
        AutoOr(Whole(1, MOST_CONCURRENCY)),
        "Most requests under way at once; auto goes by how fast answers come, up to 64 MiB of them.",
    ] = AUTO
    share: Annotated[Share, ShareOf(), "How much auto uses of what it believes is there, such as 80%."] = WHOLE

    @property
    def windows(self) -> tuple[Rate, ...]:
        """The rates that are configured."""
        return tuple(rate for rate in self.rate if rate != AUTO)


def _auto_makes_sense(found: Found) -> Iterator[Problem]:
    rates, share = found.values.get("rate", (AUTO,)), found.values.get("share", WHOLE)
    if not isinstance(rates, tuple):
        return
    if rates.count(AUTO) > 1:
        yield found.problem("rate", "says auto twice")
    if share != WHOLE and AUTO not in rates:
        yield found.problem("share", "is a share of what auto finds, and there is no auto in limits.rate")


@dataclass(frozen=True, slots=True)
class _RetryKeys:
    """How often and how soon a chunk is tried again. Delays are drawn at random up to a bound that doubles."""

    attempts: Annotated[int, Whole(1, 1000), "Most deletes sent for one chunk, the first included."] = 8
    first_delay: Annotated[float, Duration(0.001, 3600), "Longest delay before the second attempt."] = 0.5
    max_delay: Annotated[float, Duration(0.001, 86_400), "Longest delay before any attempt."] = 60.0
    split: Annotated[bool, Flag(), "Send in parts what is too large, or in doubt after two answers alike."] = True
    budget: Annotated[Share, ShareOf(), "Most retries that fail again, as a share of calls: more wait."] = A_FIFTH
    outage: Annotated[float, Duration(0.001, 30 * 86_400), "Stop once every delete has failed for so long."] = 1800.0
    resolve: Annotated[bool, Flag(), "Read back what was never answered, and settle it by that."] = True
    resolve_after: Annotated[
        float | None, Maybe(Duration(0.0, 86_400)), "How long after the last attempt; null: as long as a call may take."
    ] = None

    def policy(self) -> RetryPolicy:
        delays = self.first_delay, self.max_delay
        resolving = self.resolve, self.resolve_after
        return RetryPolicy(self.attempts, *delays, self.split, self.budget.part, self.outage, *resolving)


def _delays_in_order(found: Found) -> Iterator[Problem]:
    first, most = found.values.get("first_delay", 0.5), found.values.get("max_delay", 60.0)
    if isinstance(first, float) and isinstance(most, float) and first > most:
        yield found.problem("max_delay", "is shorter than first_delay")


_RETRY: Final = Made(Section(_RetryKeys, (_delays_in_order,)), _RetryKeys.policy)
_USUAL_RETRY: Final = _RetryKeys().policy()


@dataclass(frozen=True, slots=True)
class _RestartKeys:
    """What the platform wants to know of whoever starts a pipeline."""

    execution_mode: Annotated[int, Whole(0, 1), "executionMode of the API's start call: 0 or 1."]
    kafka_rate: Annotated[int, Whole(1, 10**9), "kafkaRate of the API's start call, such as 1000."]
    resource_config: Annotated[
        str | None, Maybe(JsonText()), "resourceConfig of the API's start call, as the platform shows it."
    ] = None

    def start(self) -> Start:
        return Start(self.execution_mode, self.kafka_rate, self.resource_config or "")


_RESTART: Final = Made(Section(_RestartKeys), _RestartKeys.start)


@dataclass(frozen=True, slots=True)
class Safety:
    """What has to hold before and during a run. None: no such guard."""

    max_pairs: Annotated[
        int | None, Maybe(Whole(1, 10**15)), "Refuse a plan with more pairs, unlisted ones included."
    ] = None
    max_requests: Annotated[int | None, Maybe(Whole(1, 10**12)), "Refuse a plan with more requests."] = None
    require_paused: Annotated[bool, Flag(), "Refuse to start unless every pipeline is paused."] = True
    status_every: Annotated[
        float | Auto,
        AutoOr(Duration(0.05, 86_400)),
        "How often a pipeline's status is read in a run; auto: 30 s, and 2 % of a known quota at the most.",
    ] = AUTO
    require_state: Annotated[
        RequireState, StateRequired(), "Refuse where no pair looked at has state (any), or fewer than a share do."
    ] = "any"
    unknown_stage: Annotated[
        UnknownStage, Choice(UnknownStage), "What to do about a stage that the gateway doesn't know: refuse, or skip."
    ] = UnknownStage.REFUSE
    max_failed: Annotated[
        int | Share | None,
        Maybe(FailuresAllowed()),
        "Stop once more of the plan's requests fail: a number, or a share of those settled (100 at least).",
    ] = A_TENTH
    deadline: Annotated[
        Deadline | None,
        Maybe(DeadlineOf()),
        "Be done, reading back included, in 45m, or at 05:00 Europe/Berlin; what doesn't fit is left to resume.",
    ] = None
    canary: Annotated[
        bool | Auto,
        AutoOr(Flag()),
        "Send one request of a stage first, and read it back: auto, where it has over ten; true, always; false, never.",
    ] = AUTO
    on_unpause: Annotated[
        OnUnpause, Choice(OnUnpause), "If somebody starts a pipeline: stop; or wait until it is paused again."
    ] = OnUnpause.STOP
    pause: Annotated[bool, Flag(), "Pause the pipelines that run, once somebody has agreed, and wait for it."] = False
    restart: Annotated[
        Start | None,
        Maybe(_RESTART),
        "Start again what was paused so, when all is deleted and read back, or where no delete was sent.",
    ] = None


def _restart_what_was_paused(found: Found) -> Iterator[Problem]:
    if found.values.get("restart") is not None and not found.values.get("pause"):
        yield found.problem("restart", "is for pipelines that the run paused", "add pause: true")


SAFETY: Final = Section(Safety, (_restart_what_was_paused,))


@dataclass(frozen=True, slots=True)
class Verify:
    """What is looked at before the first delete, and read back after the last one. Every read is a call."""

    before: Annotated[
        int, PairsToLookAt(), "Pairs to look at before the run, from all over the plan: a number, or none."
    ] = 1_000
    sample: Annotated[
        Sample, SampleOf(), "Requests to read back whole: auto (a tenth, at least 20), a number, 5%, all or none."
    ] = AUTO
    settle: Annotated[float, Duration(0, 3_600), "How long after a read that found state it is read once more."] = 5.0
    witness: Annotated[
        PairSource | None, Maybe(PairsOf()), "A file of pairs outside the target, read before and after the run."
    ] = None


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where reports are written when the run ends."""

    json: Annotated[Path | None, Maybe(FilePath()), "The run's report as JSON."] = None
    certificate: Annotated[
        Path | None, Maybe(FilePath()), "What can be proved of the run, as an in-toto Statement."
    ] = None


REPORT: Final = Section(ReportFiles, unbuilt=("junit", "markdown", "html", "csv", "metrics"))


_NAMES: Final = ListOf(Text("a name"), "names")


@dataclass(frozen=True, slots=True)
class Allow:
    """What may be called, whose, and as whom: whatever isn't listed is refused. None: no such list."""

    gateways: Annotated[tuple[str, ...] | None, Maybe(_NAMES), "Addresses that may be called."] = None
    organisations: Annotated[tuple[str, ...] | None, Maybe(_NAMES), "Organisations that may be named."] = None
    pipelines: Annotated[tuple[str, ...] | None, Maybe(_NAMES), "IDs of pipelines that may lose state."] = None
    variables: Annotated[tuple[str, ...] | None, Maybe(_NAMES), "Environment variables whose secrets may be used."] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Called:
    """What a pipeline has to be called."""

    id: Annotated[str, Text("an ID"), "The pipeline's ID."]
    name: Annotated[str, Text("a name"), "What it has to be called."]


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole tree. `delete` is empty where a run goes on: its plan is in its run directory. What it says of names of
    pipelines is in `called`.
    """

    version: Annotated[int, Version(VERSION), "The version of this tree: 1."]
    gateway: Annotated[Gateway | Embedded, GATEWAY, "Which gateway is called, and as whom."]
    delete: Annotated[tuple[Entry, ...], ENTRIES, "What is deleted."]
    limits: Annotated[
        Limits, Section(Limits, (_auto_makes_sense,)), "What one request may hold, and how many may go out."
    ] = Limits()
    plan: Annotated[Planning, Section(Planning), "How hard the planner tries."] = Planning()
    retry: Annotated[RetryPolicy, _RETRY, "How a chunk is tried again."] = _USUAL_RETRY
    safety: Annotated[Safety, SAFETY, "What has to hold before and during a run."] = Safety()
    verify: Annotated[Verify, Section(Verify), "What is read back."] = Verify()
    report: Annotated[ReportFiles, REPORT, "Where reports are written."] = ReportFiles()
    allow: Annotated[Allow, Section(Allow), "What may be called, whose, and as whom; no list, no limit."] = Allow()

    called: Annotated[
        tuple[Called, ...], ListOf(Section(Called), "names of pipelines", 0), "What pipelines have to be called."
    ] = ()

    @property
    def names(self) -> dict[str, str]:
        """What pipelines have to be called, by ID."""
        return {each.id: each.name for each in self.called}


def _read_back_before_restart(found: Found) -> Iterator[Problem]:
    """A pipeline that starts writes state: nobody can say any more whether what was there is gone."""
    safety, verify = found.values.get("safety"), found.values.get("verify", Verify())
    if isinstance(safety, Safety) and safety.restart and isinstance(verify, Verify) and not verify.sample:
        message = "nothing is read back before the pipeline starts again, which is the last time that it can be"
        yield found.problem("verify", message, "leave verify.sample out, or safety.restart")


def _limits_are_there(found: Found) -> Iterator[Problem]:
    """A run always keeps them: without them it would go on with others."""
    if "limits" not in found.written:
        yield found.problem("limits", "is missing")


CONFIGURATION: Final = Section(
    Settings, (agreed_on_unlisted, agreed_on_names, _read_back_before_restart), given={"called": ()}
)
"""What people write."""

CONTINUATION: Final = Section(Settings, (_limits_are_there,), given={"delete": ()})
"""What a run keeps of it, to go on."""
