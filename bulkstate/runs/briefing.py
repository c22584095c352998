"""What a configuration says to whoever agrees to a plan: where, as whom, under which guards, what is read back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bulkstate.config import AUTO, Embedded, Settings, Share, UnknownStage
from bulkstate.gateway.credentials import AppKey
from bulkstate.model import Guard, InputFile, LookAhead, PipelineSeen, Plan
from bulkstate.policy.deadline import Deadline, shown_twice
from bulkstate.policy.presence import presence
from bulkstate.policy.sampling import LEAST_DRAWN
from bulkstate.report.briefing import Briefing
from bulkstate.selection import Fingerprint
from bulkstate.text import duration


def seen_ahead(known: Briefing, ahead: LookAhead | None) -> Briefing:
    """With what somebody saw when the plan was made, if anybody looked."""
    if ahead is None:
        return known
    pipelines = [
        PipelineSeen(each.id, each.name, each.status, each.status, ahead.at, each.version) for each in ahead.pipelines
    ]
    return replace(known, seen_at=ahead.at, pipelines=pipelines, found=presence(ahead.looked_at))


def briefing(plan: Plan, settings: Settings, witnesses: int = 0, inputs: Iterable[Fingerprint] = ()) -> Briefing:
    """What is known before anybody is called."""
    gateway = settings.gateway
    return Briefing(
        gateway="the embedded gateway, which is made for the run" if isinstance(gateway, Embedded) else gateway.url,
        organisation="" if isinstance(gateway, Embedded) else gateway.org_id,
        credentials=credentials_of(settings),
        guards=tuple(guards(plan, settings)),
        read_back=_read_back(settings, witnesses),
        done_by=_done_by(settings.safety.deadline),
        files=tuple(InputFile(str(each.path), each.sha256, each.rows) for each in inputs),
    )


def _done_by(deadline: Deadline | None) -> str:
    """As things stand now: the clock starts, or the instant is settled, when the run is agreed to."""
    if deadline is None:
        return ""
    at, now = deadline.instant(time.time()), time.time()
    return f"{shown_twice(at, deadline)}, {duration(at - now)} from now"


def credentials_of(settings: Settings) -> tuple[str, ...]:
    """The names of the environment variables that say who calls."""
    if isinstance(settings.gateway, Embedded):
        return ()
    auth = settings.gateway.auth
    secrets = (auth.app_key, auth.app_secret) if isinstance(auth, AppKey) else (auth.token,)
    return tuple(secret.name for secret in secrets)


def guards(plan: Plan, settings: Settings) -> Iterator[Guard]:
    """The guards of a run of this plan, those that are turned off among them."""
    safety, verify = settings.safety, settings.verify
    for key, most in (("max_pairs", safety.max_pairs), ("max_requests", safety.max_requests)):
        yield Guard(f"safety.{key}", "none" if most is None else f"{most:,}", most is not None)
    yield Guard("safety.require_paused", str(safety.require_paused).lower(), safety.require_paused)
    if safety.pause:
        yield Guard("safety.pause", f"true, restart {'false' if safety.restart is None else 'true'}", True)
    required = safety.require_state
    yield Guard("safety.require_state", str(required), required != "none" and verify.before > 0)
    yield Guard("safety.unknown_stage", safety.unknown_stage, safety.unknown_stage is UnknownStage.REFUSE)
    if safety.deadline is not None:
        yield Guard("safety.deadline", str(safety.deadline), True)
    yield Guard("safety.canary", str(safety.canary).lower(), safety.canary is not False and verify.before > 0)
    yield Guard("verify.before", f"{verify.before:,}" if verify.before else "none", verify.before > 0)
    yield Guard("verify.sample", str(verify.sample or "none"), bool(verify.sample))
    if plan.unlisted_pairs:
        yield Guard("unlisted", f"may_delete ({plan.unlisted_pairs:,} pairs)", False)
    if not isinstance(settings.gateway, Embedded) and settings.gateway.allow_http:
        yield Guard("gateway.allow_http", "true", False)


def _read_back(settings: Settings, witnesses: int) -> str:
    sample = settings.verify.sample
    if sample == "all":
        said = "afterwards every request is read back whole"
    elif sample == AUTO:
        said = f"afterwards a tenth of the requests is read back whole, at least {LEAST_DRAWN}"
    elif isinstance(sample, Share):
        said = f"afterwards {sample} of the requests are read back whole"
    else:
        said = f"afterwards {sample:,} requests are read back whole" if sample else "afterwards nothing is read back"
    outside = f", and {witnesses:,} witness {'pair' if witnesses == 1 else 'pairs'} outside it" if witnesses else ""
    return said + outside
