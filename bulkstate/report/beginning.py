"""What is said when a run begins: where it is, what was checked for it, and how it is stopped and gone on with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from bulkstate.model import PipelineSeen, Stage
from bulkstate.policy.presence import Presence

Line: TypeAlias = tuple[str, dict[str, object]]
"""What is said, and the figures beside it."""


def beginning(
    run_dir: str,
    place: tuple[str, str],
    plan: str,
    requests: int,
    pipelines: Sequence[PipelineSeen],
    left_out: Sequence[Stage],
    found: Presence,
    done_by: str = "",
) -> Iterator[Line]:
    """The lines, in order. `place` is the gateway and the organisation, `plan` the digest; `requests` are to come;
    `done_by` says which instant a deadline is, and how long is left."""
    gateway, organisation = place
    name = shlex.quote(run_dir)
    yield (
        "the run begins",
        {"run_dir": run_dir, "gateway": gateway, "organisation": organisation, "plan": plan[:8], "requests": requests},
    )
    seen = ", ".join(f"{each.name or each.id} {each.now or 'unread'}" for each in pipelines)
    stages = f"left out: {', '.join(map(str, left_out))}" if left_out else "all known"
    yield "checked before", {"pipelines": seen or "not looked at", "stages": stages, "state": found.words}
    if done_by:
        yield "it has to be done in time", {"until": done_by}
    ctl = f"bulkstate ctl {name}"
    yield "how to stop it", {"now": f"{ctl} stop", "or_hold": f"{ctl} hold", "go_on": f"bulkstate resume {name}"}
