"""Why a chunk failed, and what ends a run, in words."""

from __future__ import annotations

from bulkstate.errors import CredentialsLost, GatewayDown, GatewayRefused, Stopped
from bulkstate.model import Answer, Outcome, Reply, describe


def reason_of(outcome: Outcome) -> str:
    """Why a chunk failed, in a word: the API's code, else HTTP's status."""
    if outcome.code is not None:
        return f"code {outcome.code}"
    return "no answer" if outcome.status is None else f"HTTP {outcome.status}"


def given_up(seconds: float, reply: Reply[bool]) -> GatewayDown:
    """What ends a run in which every delete has failed for so many seconds."""
    return GatewayDown(
        f"every delete has failed for {seconds:,.0f} s: {describe(reply)}",
        hint="see what the gateway lacks, then `bulkstate resume`; retry.outage says how long to wait",
    )


def refusal(reply: Reply[bool]) -> Stopped:
    """What ends a run whose caller is refused."""
    if reply.answer is Answer.CREDENTIALS:
        return CredentialsLost(
            f"the gateway refuses the credentials: {describe(reply)}",
            hint="check them with `bulkstate check`, then `bulkstate resume`",
        )
    return GatewayRefused(f"the gateway refuses this caller: {describe(reply)}")
