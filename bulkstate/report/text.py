"""The report for people: a page that fits 80 columns and needs no colour.

Whatever a server, a file name or a journal brought along is printed as it is, never as markup, and without anything
that could steer a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Final, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bulkstate.model import Blamed, ChunkCounts, Held, Report, RunResult, StageReport, Use, Verdict
from bulkstate.policy.bottleneck import By, Holding
from bulkstate.policy.presence import presence
from bulkstate.report.conclusion import concluded, share_at_most
from bulkstate.report.failures import FailureKind, kinds
from bulkstate.report.remarks import remark_lines
from bulkstate.report.surroundings import asked_lines, pipeline_lines, surroundings
from bulkstate.text import counted, duration, moment, printable

_KINDS_SHOWN: Final = 8
_BLAMED_SHOWN: Final = 10
_LEAST_SHARE: Final = 0.05
_USES_SHOWN: Final = 20

_MARKS: Final = {
    RunResult.RUNNING: ("…", "bold yellow"),
    RunResult.DELETED: ("✓", "bold green"),
    RunResult.PARTIAL: ("!", "bold yellow"),
    RunResult.REFUSED: ("✗", "bold red"),
    RunResult.STOPPED: ("✗", "bold red"),
    RunResult.INTERRUPTED: ("!", "bold yellow"),
}

_MEANINGS: Final = {
    Verdict.REFUSED: "the API said no, and will again",
    Verdict.EXHAUSTED: "all attempts used up, every one answered",
    Verdict.UNKNOWN: "an attempt may have arrived, and was never answered",
    Verdict.SUSPECT: "deleted while the pipeline may have been running",
    Verdict.NOT_SENT: "held back",
}


def to_text(report: Report, width: int = 80) -> str:
    """The page without colour, `width` columns wide."""
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as page:
        show(report, console)
    return "".join(f"{line.rstrip()}\n" for line in page.get().rstrip().splitlines())


def show(report: Report, console: Console) -> None:
    """Print the page on `console`, in colour where it has some."""
    for paragraph in _paragraphs(report):
        console.print(Padding(Group(*paragraph), (0, 1, 1, 1)), highlight=False)
    for advice, command in _next_steps(report):
        console.print(Padding(advice, (0, 1)))
        # On one line, however long, so that it can be copied.
        console.print(Text(f"   {printable(command)}\n", "bold"), soft_wrap=True)


_Paragraph: TypeAlias = Sequence[RenderableType]


def _paragraphs(report: Report) -> Iterator[_Paragraph]:
    """In the order in which somebody asks who wasn't there."""
    found = kinds(report.failures)
    yield _heading(report)
    if advice := list(pipeline_lines(report)):
        yield [Text("Pipelines", "bold"), *map(_indented, advice)]
    yield [Text("Where, when, who", "bold"), *map(_indented, surroundings(report))]
    yield [Text("Asked for", "bold"), *map(_indented, asked_lines(report)), *_remarks(report)]
    if seen := list(_seen_before(report)):
        yield seen
    yield [*_outcome(report), *_stages(report.stages)]
    yield from map(_kind, found[:_KINDS_SHOWN])
    if unlisted := list(_unlisted(report, found)):
        yield unlisted
    yield list(_verified(report))
    if report.blamed:
        yield list(_blamed(report.blamed))
    yield list(_course(report))
    if report.uses:
        yield list(_by_hand(report.uses))
    yield list(_guards(report))


def _indented(line: str, style: str = "") -> Padding:
    return Padding(Text(line, style), (0, 0, 0, 2))


def _heading(report: Report) -> _Paragraph:
    mark, style = _MARKS[report.result]
    conclusion = concluded(report)
    command = [_indented(f"next: {printable(conclusion.next)}")] if conclusion.next else []
    return [
        Text(f"{mark} {conclusion.sentence}", style),
        _indented(f"ending: {conclusion.reason_code or 'none'}"),
        *command,
    ]


def _remarks(report: Report) -> Iterator[RenderableType]:
    return (_indented(line, "yellow") for line in remark_lines(report.remarks))


def _outcome(report: Report) -> Iterator[RenderableType]:
    pairs = _of(report.pairs_deleted, report.pairs_planned, "pair")
    yield Text(f"Outcome: {pairs} deleted, in {_chunks(report.chunks)}", "bold")
    if report.unlisted_pairs:
        yield _indented(f"these chunks held {counted(report.unlisted_pairs, 'more pair')} that nobody listed")


def _course(report: Report) -> Iterator[RenderableType]:
    """What it took: calls and time, what held it back, how long an answer took."""
    yield Text("Course", "bold")
    yield from map(_indented, _held(report.held))
    yield _indented(_pace(report))
    if report.latency is not None:
        median, worst = report.latency.median * 1000, report.latency.worst * 1000
        yield _indented(
            f"half the answers within {median:,.0f} ms, 99 of 100 within {worst:,.0f} ms at the worst second"
        )


def _guards(report: Report) -> Iterator[RenderableType]:
    """The guards that were turned off, then the others; and what made the page."""
    off, on = ([each for each in report.guards if each.on is which] for which in (False, True))
    if report.guards:
        yield Text("Guards", "bold")
    if off:
        yield _indented(
            f"turned off: {', '.join(f'{each.key} {printable(each.value)}' for each in off)}", "bold yellow"
        )
    if on:
        yield _indented(f"in force: {', '.join(f'{each.key} {printable(each.value)}' for each in on)}")
    yield Text(f"bulkstate {printable(report.origin.version)}, run {printable(report.run)}")
    if report.origin.chain is not None:
        yield Text(str(report.origin.chain))


def _pace(report: Report) -> str:
    calls = report.attempts + report.throttled
    if not calls:
        return "no request was sent"
    pace = f"{counted(calls, 'request')} in {duration(report.seconds)}, {report.requests_per_second:,.1f} a second"
    return f"{pace}; {_trouble(report)}"


def _held(shares: Sequence[Held]) -> Iterator[str]:
    """What held the run back, for a twentieth of its time at least."""
    for held in shares:
        if held.share >= _LEAST_SHARE:
            cause = printable(str(Holding(By(held.by), held.which)))
            yield f"held back by {cause}: {held.share:.0%} of the time"


def _trouble(report: Report | StageReport) -> str:
    return f"{counted(report.retries, 'retry', 'retries')}, {report.throttled:,} throttled"


def _stages(stages: Sequence[StageReport]) -> Iterator[RenderableType]:
    """Two lines a stage: its name may be long, and the figures below each other want their columns."""
    rows = [_figures(stage) for stage in stages]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for stage, row in zip(stages, rows, strict=True):
        whole = stage.chunks.deleted == stage.chunks.unsplit
        yield Text(f"{'✓' if whole else '!'} {printable(str(stage.stage))}", "green" if whole else "yellow")
        yield _indented("   ".join(figure.ljust(width) for figure, width in zip(row, widths, strict=True)))


def _figures(stage: StageReport) -> tuple[str, str, str]:
    pairs = _of(stage.pairs_deleted, stage.pairs_planned, "pair")
    return pairs, _chunks(stage.chunks), _trouble(stage)


def _chunks(counts: ChunkCounts) -> str:
    """Of a split chunk its parts count."""
    split = f" ({counts.split:,} split)" if counts.split else ""
    return _of(counts.deleted, counts.unsplit, "chunk") + split


def _of(done: int, planned: int, noun: str) -> str:
    return f"all {counted(planned, noun)}" if done == planned > 1 else f"{done:,} of {counted(planned, noun)}"


def _kind(kind: FailureKind) -> _Paragraph:
    head = Text(f"{counted(kind.chunks, 'chunk')} {kind.verdict.value.replace('_', ' ')}", "bold yellow")
    pairs = f"{counted(kind.pairs, 'pair')}; {_MEANINGS[kind.verdict]}"
    lines = (_indented(line) for line in (pairs, ", ".join(_answer(kind))) if line)
    return [head, *lines, _indented(", ".join(_examples(kind)), "dim")]


def _answer(kind: FailureKind) -> Iterator[str]:
    if kind.status is not None:
        yield f"HTTP {kind.status}"
    if kind.code is not None:
        yield f"code {kind.code}"
    if kind.message:
        yield f"“{printable(kind.message)}”"


def _examples(kind: FailureKind) -> Iterator[str]:
    for failure in kind.examples:
        request = failure.outcome.request_id
        yield f"chunk {failure.chunk} (request {printable(request)})" if request else f"chunk {failure.chunk}"
    if kind.chunks > len(kind.examples):
        yield "…"


def _blamed(blamed: Sequence[Blamed]) -> Iterator[Text]:
    """The IDs that can't be deleted."""
    yield Text("To blame", "bold yellow")
    for each in blamed[:_BLAMED_SHOWN]:
        ids = [f"{noun} {printable(id_)}" for noun, id_ in (("asset", each.asset), ("point", each.point)) if id_]
        code = "" if each.code is None else f", code {each.code}"
        yield Text(f"  {' with '.join(ids)}: {counted(each.pairs, 'pair')} of {printable(str(each.stage))}{code}")
    if (more := len(blamed) - _BLAMED_SHOWN) > 0:
        yield Text(f"  and {counted(more, 'other')}: the JSON report names them all")


def _unlisted(report: Report, found: Sequence[FailureKind]) -> Iterator[Text]:
    """What isn't deleted, and isn't among the kinds that are shown."""
    unseen = len(found) - _KINDS_SHOWN
    if unseen > 0:
        yield Text(f"And {counted(unseen, 'other kind')} of failure: the JSON report lists them.")
    recorded = sum(failure.outcome.verdict is Verdict.NOT_SENT for failure in report.failures)
    unreached = report.chunks.not_sent - recorded
    if unreached:
        yield Text(f"{counted(unreached, 'chunk')} not sent: their turn never came.", "bold yellow")


def _by_hand(uses: Sequence[Use]) -> Iterator[Text]:
    """What was asked of the run while it ran; of very much, the latest."""
    earlier = len(uses) - _USES_SHOWN
    yield Text(f"By hand, and {earlier:,} times before:" if earlier > 0 else "By hand:")
    for use in uses[-_USES_SHOWN:]:
        yield Text(f"  {moment(use.at)}  {printable(f'{use.command} {use.value}')}")


def _seen_before(report: Report) -> Iterator[Text]:
    """What was looked at before, and what of it is left."""
    before, after = presence(report.before), presence(report.after)
    if before.looked_at or before.unread:
        yield Text(f"Before the run: {printable(before.words)}.")
        if len(before.entries) > 1:
            for entry in before.entries:
                yield Text(f"  {printable(entry.entry)}: {entry.with_state:,} of {entry.looked_at:,} have state")
    if after.looked_at:
        gone = "none has any now" if not after.with_state else f"{after.with_state:,} still do"
        style = "bold red" if after.with_state else "green"
        yield Text(f"  of those that had state {after.looked_at:,} were read again: {gone}.", style)


def _verified(report: Report) -> Iterator[Text]:
    """What was read back."""
    verified = report.verified
    if verified is None or not (verified.sampled or verified.witnesses):
        yield Text("Nothing was read back.", "dim")
        return
    if verified.requests:
        read = f"{verified.requests:,} of {counted(verified.of_requests, 'request')} read back whole"
        hits = verified.requests_remaining
        found = f"{hits:,} of them hold state" if hits else "none holds state"
        of_all = f"; 95 %: {share_at_most(verified)} of all do" if verified.requests < verified.of_requests else ""
        yield Text(f"{read}: {found}{of_all}.", "bold red" if hits else "green")
    if verified.remaining:
        yield Text(
            f"{verified.remaining:,} of {counted(verified.sampled, 'pair')} read back still have state.", "bold red"
        )
    if verified.witnesses_lost:
        lost = f"{verified.witnesses_lost:,} of {counted(verified.witnesses, 'witness pair')} lost their state."
        yield Text(f"{lost} They are outside the target.", "bold red")
    elif verified.witnesses:
        yield Text(f"{counted(verified.witnesses, 'witness pair')} outside the target: all still have state.", "green")


def _next_steps(report: Report) -> Iterator[tuple[Text, str]]:
    """What to do now: the command that does it."""
    if command := concluded(report).next:
        yield Text("Next:"), command
