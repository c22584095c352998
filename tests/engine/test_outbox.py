"""How long an outcome waits for the disk, and so how many chunks may be sent twice after a kill."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.engine.outbox import BATCH, SPACING, Outbox
from bulkstate.model import Grant, Outcome, Verdict
from tests.engine.session import virtually


class SlowDisk:
    """A journal whose writes take as long as it is told, one after the other."""

    def __init__(self, writes: Sequence[float]) -> None:
        self.longest = max(writes)
        self._writes = writes
        self.sizes: list[int] = []
        self.begun: dict[int, float] = {}

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        now = anyio.current_time()
        self.begun.update((outcome.chunk, now) for outcome in outcomes)
        self.sizes.append(len(outcomes))
        await anyio.sleep(self._writes[len(self.sizes) % len(self._writes)])

    async def grant(self, grant: Grant) -> None:
        raise AssertionError(grant)


@given(
    st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.5]), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.0, 0.0001, 0.003, 0.3]), min_size=1, max_size=120),
)
def test_an_outcome_waits_for_one_write_at_the_most(writes: list[float], pauses: list[float]) -> None:
    """Nothing is answered that isn't on its way to disk within the spacing and what the write before takes."""
    handed: dict[int, float] = {}
    settled: list[int] = []

    async def main() -> SlowDisk:
        disk = SlowDisk(writes)
        outbox = Outbox(disk, lambda outcome: settled.append(outcome.chunk), lambda reason: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outbox.record)
            for chunk, pause in enumerate(pauses):
                await anyio.sleep(pause)
                handed[chunk] = anyio.current_time()
                await outbox.put(Outcome(chunk, Verdict.DELETED))
            outbox.close()
        return disk

    disk = virtually(main)
    assert settled == list(range(len(pauses)))
    waited = max(disk.begun[chunk] - handed[chunk] for chunk in handed)
    assert waited <= max(SPACING, disk.longest) + 1e-9


def test_no_more_than_two_batches_are_ever_on_their_way() -> None:
    """However slow the disk is: whoever puts more waits, and no further call is made for it."""

    async def main() -> int:
        outbox = Outbox(SlowDisk([1e6]), lambda outcome: None, lambda reason: None)
        put = 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outbox.record)
            with anyio.move_on_after(100.0):
                for chunk in range(3 * BATCH):
                    await outbox.put(Outcome(chunk, Verdict.DELETED))
                    put += 1
                    await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
            outbox.close()
        return put

    assert virtually(main) <= 2 * BATCH
