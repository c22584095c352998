"""A look when a plan is made, which the plan keeps for whoever approves it."""

from __future__ import annotations

import time

from bulkstate.engine.pipelines import findings, require
from bulkstate.engine.reads import ReadFailed
from bulkstate.errors import CheckFailed
from bulkstate.model import LookAhead
from bulkstate.runs.connection import connect
from bulkstate.runs.host import Host
from bulkstate.runs.look import judged, read_checks, stage_names
from bulkstate.runs.prepare import Prepared


async def look_ahead(prepared: Prepared, host: Host) -> LookAhead:
    """The pipelines by name, version and status, and what of the pairs to be looked at has state. Refuses what a run
    would refuse for it, but pipelines that aren't paused yet; CheckFailed where the gateway doesn't say."""
    wanted = {stage.stage.pipeline for stage in prepared.plan.stages}
    with host.stopping.cancels():
        async with connect(prepared.settings, host.environ, None) as connection:
            try:
                listed = await connection.reads.pipelines(wanted)
            except ReadFailed as failure:
                raise CheckFailed(f"gateway {failure}", hint="nothing was deleted, and no plan was saved") from failure
            require(findings(listed, wanted, False, names=prepared.settings.names))
            looked_at, failures = await read_checks(connection.reads, prepared.spot_checks, prepared.plan)
            names = await stage_names(connection, failures)
    judged(looked_at, failures, prepared.spot_checks, prepared.settings, names)
    return LookAhead(time.time(), tuple(listed[id_] for id_ in sorted(listed)), tuple(looked_at))
