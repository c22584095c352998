"""The same engine on the loops that it runs on in earnest: asyncio's ways of cancelling are not trio's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from bulkstate.disk.journal import WriterThread
from bulkstate.errors import Interrupted
from bulkstate.model import Answer, Verdict
from bulkstate.policy.retry import RetryPolicy

from .gateway import Call, Say, World
from .session import Settings, a_plan, assemble, create, last_records

SLOW = Say(Answer.OK, 0.01, 0, True)


class Middle(World):
    """Says when many calls have ended, and others are under way."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.arrived = anyio.Event()

    def reached(self, call: Call) -> Call:
        if len(self.calls) >= 20:
            self.arrived.set()
        return super().reached(call)


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.mark.anyio
async def test_a_run_with_trouble_deletes_everything(tmp_path: Path) -> None:
    bad = [
        Say(Answer.THROTTLED, 0.001, retry_after=0.02),
        Say(Answer.UNAVAILABLE, 0.001),
        Say(Answer.UNANSWERED, 0.001),
    ]
    world = World(a_plan(60), dict.fromkeys(range(0, 60, 7), bad), say=SLOW)
    world.fill()
    journal = create(tmp_path / "run", world.plan, WriterThread())
    session = assemble(world, journal, Settings(8, RetryPolicy(8, 0.01, 0.05), status_every=0.02))
    await session.gate.keep(journal)
    assert await session.run() is None
    journal.close()
    assert not world.planned_left
    assert all(record.verdict is Verdict.DELETED for record in last_records(tmp_path / "run").values())


@pytest.mark.anyio
@pytest.mark.parametrize("grace", [0.0, 0.05, 5.0])
async def test_a_stop_leaves_a_true_record(tmp_path: Path, grace: float) -> None:
    world = Middle(a_plan(500), say=Say(Answer.OK, 0.02, 0, True))
    journal = create(tmp_path / "run", world.plan, WriterThread())
    session = assemble(world, journal, Settings(workers=8))
    await session.gate.keep(journal)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_interrupt, world, session.engine.stop, grace)
        ending = await session.run()
    journal.close()
    records = last_records(tmp_path / "run")
    assert isinstance(ending, Interrupted)
    for call in world.calls:
        assert call.chunk is not None
        assert records[call.chunk].verdict is (Verdict.UNKNOWN if call.answer is None else Verdict.DELETED)
    assert grace > 0.0 or any(call.answer is None for call in world.calls)


async def _interrupt(world: Middle, stop: Callable[[Interrupted, float], None], grace: float) -> None:
    await world.arrived.wait()
    stop(Interrupted("interrupted", signal_number=2), grace)
