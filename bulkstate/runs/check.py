"""What can be found out about a configuration without a delete, line by line, each with what to do about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bulkstate.config import Embedded, Settings, Share
from bulkstate.engine.pipelines import Finding, findings, is_paused
from bulkstate.engine.reads import ReadFailed
from bulkstate.errors import CredentialsLost, GatewayRefused
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, LookedAt, Pipeline, Stage
from bulkstate.policy.deadline import Deadline
from bulkstate.policy.pacing import Forecast
from bulkstate.policy.presence import Presence, nothing_there, presence
from bulkstate.policy.spot_checks import SpotCheck
from bulkstate.runs.briefing import credentials_of
from bulkstate.runs.connection import Connection, connect
from bulkstate.runs.host import Host
from bulkstate.runs.look import MEANINGS, meant, read_checks, stage_names
from bulkstate.runs.memory import known_limits
from bulkstate.runs.prepare import Prepared
from bulkstate.text import duration

CLOCKS_AGREE: Final = 2.0
"""Seconds that two clocks may differ by: a date has whole seconds, and an answer takes its time."""


async def check(prepared: Prepared, forecast: Forecast | None, host: Host) -> tuple[Finding, ...]:
    """Try the gateway, the credentials, pipelines and stages, and look for state. What is wrong is a finding."""
    settings = prepared.settings
    variables = credentials_of(settings)
    found = [*_transport(settings)]
    try:
        with host.stopping.cancels():
            async with connect(settings, host.environ, None) as connection:
                found += await _asked(connection, prepared, variables)
                found += _clock(connection.client.clock_ahead)
    except (CredentialsLost, GatewayRefused) as error:
        found.append(Finding("credentials", False, error.message, _about_credentials(error.message, variables)))
    return (*found, _limits(settings), _forecast(forecast, settings.safety.deadline))


def _transport(settings: Settings) -> Iterator[Finding]:
    gateway = settings.gateway
    if isinstance(gateway, Embedded):
        yield Finding("gateway", True, "is the embedded one, for a rehearsal")
    elif gateway.url.startswith("https://"):
        yield Finding("TLS", True, "certificates are verified" + (", with ca_file" if gateway.ca_pem else ""))
    else:
        yield Finding("TLS", True, "isn't used: what is said to this gateway can be read on the way", "use https://")


async def _asked(connection: Connection, prepared: Prepared, variables: Sequence[str]) -> list[Finding]:
    wanted = {stage.stage.pipeline for stage in prepared.plan.stages}
    try:
        listed = await connection.reads.pipelines(wanted)
    except ReadFailed as failure:
        return [Finding("gateway", False, str(failure), _about(failure, variables))]
    said = f"are accepted ({', '.join(variables)})" if variables else "are accepted"
    found = [Finding("gateway", True, "answers"), Finding("credentials", True, said)]
    found += _pipelines(wanted, listed, prepared.settings)
    if prepared.spot_checks:
        found += await _state(connection, prepared)
    return found


def _about_credentials(message: str, variables: Sequence[str]) -> str:
    """What to do about credentials that aren't accepted, by the code that the token service gave."""
    names = " and ".join(variables)
    if f"code {Code.WRONG_ENCRYPTION.value}" in message:
        return f"the secret is wrong: look at {variables[-1]}, and at this machine's clock"
    if f"code {Code.NO_SUCH_APP_KEY.value}" in message:
        return f"there is no such application: look at {variables[0]}"
    return f"look at {names}, and whether they may call this API" if names else ""


def _about(failure: ReadFailed, variables: Sequence[str]) -> str:
    """What to do about a gateway that doesn't answer as it should."""
    reply = failure.reply
    if reply.answer is Answer.UNREACHED:
        return "look at gateway.url, the network and gateway.ca_file"
    if reply.status == 200 and reply.code is None:
        return "it isn't JSON: perhaps a proxy in between answers with a page of its own"
    if reply.code == Code.WRONG_PIPELINE:
        return "look at gateway.org_id"
    return _about_credentials(str(failure), variables) if reply.answer is Answer.CREDENTIALS else "try again later"


def _pipelines(wanted: set[str], listed: Mapping[str, Pipeline], settings: Settings) -> Iterator[Finding]:
    safety = settings.safety
    for found in findings(listed, wanted, safety.require_paused, safety.pause, settings.names):
        known = found.subject.removeprefix("pipeline ")
        hint = "look at its ID and at gateway.org_id" if known not in listed else "pause it before the run"
        paused = known in listed and is_paused(listed[known])
        yield found if paused and found.passed else replace(found, hint=found.hint or hint)


async def _state(connection: Connection, prepared: Prepared) -> list[Finding]:
    """What the look before a run would find."""
    settings, checks = prepared.settings, prepared.spot_checks
    looked_at, failures = await read_checks(connection.reads, checks, prepared.plan)
    names = await stage_names(connection, failures)
    stages = dict.fromkeys(check.stage for check in checks)
    found = [_stage(stage, looked_at, failures, names.get(stage.pipeline, frozenset())) for stage in stages]
    return [*found, _presence(presence(looked_at), settings)]


def _stage(
    stage: Stage,
    looked_at: Sequence[LookedAt],
    failures: Mapping[SpotCheck, ReadFailed],
    names: frozenset[str],
) -> Finding:
    failed = next((failure for check, failure in failures.items() if check.stage == stage), None)
    subject = f"stage {stage}"
    if failed is None:
        seen = presence([each for each in looked_at if each.stage == stage])
        return Finding(subject, True, f"is known: {seen.words}")
    if failed.reply.code in MEANINGS:
        meaning = MEANINGS[Code(failed.reply.code or 0)] + meant(stage, names)
        return Finding(subject, False, str(failed), f"{meaning}: correct it, or leave it out")
    return Finding(subject, None, f"can't be read: {failed}", "a run can neither look before nor read back afterwards")


def _presence(found: Presence, settings: Settings) -> Finding:
    required = settings.safety.require_state
    share = required if isinstance(required, Share) else None
    why = "" if required == "none" else nothing_there(found, share)
    if not why and not found.looked_at:
        return Finding("state", None, found.words, "a run would delete without knowing whether anything is there")
    hint = "correct what is selected; if it is right, say safety.require_state: none" if why else ""
    return Finding("state", not why, why or found.words, hint)


def _clock(ahead: float | None) -> Iterator[Finding]:
    """Our clock against the gateway's `Date`, which has whole seconds; nothing where it never told any."""
    if ahead is None:
        return
    if abs(ahead) < CLOCKS_AGREE:
        yield Finding("clock", True, f"is within {CLOCKS_AGREE:.0f} s of the gateway's")
        return
    differs = f"is {duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the gateway's"
    yield Finding("clock", True, differs, "set it: signatures, deadlines and the times in reports count on it")


def _limits(settings: Settings) -> Finding:
    """What is known of how fast may be called, and by whom."""
    configured, learnt = settings.limits.windows, known_limits(settings, None)
    others = [each for each in learnt if each not in configured]
    said = [f"{', '.join(map(str, configured))} by the configuration"] if configured else []
    said += [f"{', '.join(map(str, others))} learnt by earlier runs"] if others else []
    if not said:
        return Finding("limits", True, "are unknown: the run finds them", "ask who runs the gateway")
    return Finding("limits", True, f"known are {'; '.join(said)}")


def _forecast(forecast: Forecast | None, deadline: Deadline | None) -> Finding:
    until = f", and it has to be done by {deadline}" if deadline else ""
    if forecast is None:
        return Finding("forecast", True, f"nobody knows how long it takes: no limit is known{until}")
    said = f"about {duration(forecast.seconds)} to send it all, of which {forecast.binding} binds{until}"
    now = time.time()
    fits = deadline is None or now + forecast.seconds <= deadline.instant(now)
    return Finding("forecast", fits, said, "" if fits else "a later deadline, or a smaller plan")
