"""The stream processing service: what its calls do to the store, and when they are declined. Blocking, no HTTP.

Where the vendor is silent, this is what it does: a delete on a pipeline that isn't paused is declined with 61199 and a
message that says so (upstream requires a pause, and documents no code for its absence); deleting state that isn't there
succeeds; there is never a lag behind an offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bulkstate.emulator.calls import Declined, ListCall, StageCall
from bulkstate.emulator.store import Store, StoredPipeline, StoredState
from bulkstate.emulator.world import holds_state
from bulkstate.gateway.wire import Code
from bulkstate.model import PipelineStatus, Stage


@dataclass(frozen=True, slots=True)
class Move:
    """What an action does to a pipeline: from which statuses, to which (None: it stays), and the code if it can't."""

    origins: frozenset[PipelineStatus]
    target: PipelineStatus | None
    code: Code
    message: str


_STATUS: Final = PipelineStatus

MOVES: Final = {
    "pause": Move(
        frozenset({_STATUS.RUNNING}),
        _STATUS.PAUSED,
        Code.NOT_PAUSABLE,
        "Status of the stream processing job cannot be changed from [{}] to Paused.",
    ),
    "start": Move(
        frozenset({_STATUS.PUBLISHED, _STATUS.PAUSED, _STATUS.STOPPED}),
        _STATUS.RUNNING,
        Code.NOT_STARTABLE,
        "Stream processing pipeline with status {} cannot be started.",
    ),
    "stop": Move(
        frozenset({_STATUS.RUNNING, _STATUS.PAUSED}),
        _STATUS.STOPPED,
        Code.NOT_PAUSABLE,
        "Status of the stream processing job cannot be changed from [{}] to Stopped.",
    ),
    "release": Move(
        frozenset({_STATUS.PAUSED, _STATUS.STOPPED}),
        _STATUS.PUBLISHED,
        Code.NOT_RELEASABLE,
        "Failed to release the stream processing pipeline because it is not stopped or paused (it is {}).",
    ),
    "save": Move(frozenset(_STATUS), None, Code.OTHER, ""),
}

RESET_OFFSET: Final = Move(
    frozenset({_STATUS.PAUSED, _STATUS.STOPPED}),
    None,
    Code.NOT_RESETTABLE,
    "The offset cannot be reset because the stream processing pipeline is not stopped or paused (it is {}).",
)
OFFSET_LAG: Final = Move(
    frozenset({_STATUS.RUNNING}), None, Code.NOT_RUNNING, "The stream processing pipeline is not running (it is {})."
)
"""What needs a status too, and changes none."""


class Streaming:
    """The service over one store."""

    def __init__(self, store: Store, most_pairs: int) -> None:
        self._store = store
        self._most_pairs = most_pairs

    def delete(self, call: StageCall) -> int:
        """Delete Stage State; how many of the pairs had any."""
        pipeline, stage = self._find(call)
        if pipeline.status is not PipelineStatus.PAUSED:
            message = f"The pipeline is {pipeline.status}, not PAUSED: pause it before its state is deleted"
            raise Declined(Code.OTHER, message)
        return self._store.delete(stage, call.assets, call.points)

    def create(self, id_: str, name: str, now: int) -> None:
        """Save what isn't there yet, at `now` (UNIX milliseconds): a pipeline without stages."""
        self._store.add(id_, name, PipelineStatus.PUBLISHED, now)

    def get(self, call: StageCall) -> list[StoredState]:
        """Get Stage State: those of the pairs that have any."""
        _, stage = self._find(call)
        return self._store.get(stage, call.assets, call.points)

    def page(self, call: ListCall) -> tuple[int, list[StoredPipeline]]:
        """List Pipelines: how many there are, and one page. There are no system pipelines here."""
        if call.system:
            return 0, []
        return self._store.count(), self._store.page(call.page, call.size)

    def details(self, pipeline: str) -> tuple[StoredPipeline, list[str]]:
        """Get Pipeline Details: the pipeline and the names of its stages."""
        return self._pipeline(pipeline), list(self._store.stages(pipeline))

    def move(self, pipeline: str, move: Move, now: int) -> None:
        """Pause, start and so on, at `now` (UNIX milliseconds)."""
        status = self.require(pipeline, move)
        self._store.set_status(pipeline, move.target or status, now)

    def require(self, pipeline: str, move: Move) -> PipelineStatus:
        """The pipeline's status. Declined if it doesn't allow that."""
        status = self._pipeline(pipeline).status
        if status not in move.origins:
            raise Declined(move.code, move.message.format(status))
        return status

    def set_status(self, pipeline: str, status: PipelineStatus, now: int) -> None:
        """What no call can do: move a pipeline to `status` whatever its status is."""
        self._store.set_status(pipeline, status, now)

    def states(self, stage: Stage) -> int:
        """How many pairs a stage holds state for; 0 for one that isn't there."""
        number = self._store.stages(stage.pipeline).get(stage.name)
        return 0 if number is None else self._store.states(number)

    def _pipeline(self, id_: str) -> StoredPipeline:
        pipeline = self._store.pipeline(id_)
        if pipeline is None:
            raise Declined(Code.NO_SUCH_PIPELINE, "Stream processing pipeline does not exist.")
        return pipeline

    def _find(self, call: StageCall) -> tuple[StoredPipeline, int]:
        if call.pairs > self._most_pairs:
            raise Declined(Code.TOO_MANY_POINTS, f"Too many points: {call.pairs}, at most {self._most_pairs}")
        pipeline = self._store.pipeline(call.pipeline)
        if pipeline is None:
            raise Declined(Code.WRONG_PIPELINE, "Wrong pipelineId or OU has no privilege")
        stage = self._store.stages(call.pipeline).get(call.stage)
        if stage is None or not holds_state(call.stage):
            raise Declined(Code.UNSUPPORTED_STAGE, "Not supported stage type")
        return pipeline, stage
