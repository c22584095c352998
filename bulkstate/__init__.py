"""Bulk deletion of EnOS stage state: planned exactly, paced to the gateway, recorded chunk by chunk.

Importing it is cheap and changes nothing: `load` and `Report` come when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkstate.errors import (
    BulkstateError,
    CanaryFailed,
    CertificateDiffers,
    CheckFailed,
    CredentialsLost,
    DeadlineReached,
    DeadlineTooSoon,
    DigestDiffers,
    GatewayDown,
    GatewayRefused,
    GuardExceeded,
    InputError,
    Interrupted,
    JournalDamaged,
    JournalNotWritable,
    KeepUnmatched,
    NotAllowed,
    NotConfirmed,
    NothingThere,
    NotRestarted,
    NotVerified,
    PipelineNotPaused,
    PlanAltered,
    PlanOutdated,
    PlanStale,
    Problem,
    Refused,
    RunExists,
    RunInUse,
    StageUnknown,
    StatusUnread,
    Stopped,
    StoppedByHand,
    TooManyFailed,
)

if TYPE_CHECKING:
    from bulkstate.config import load
    from bulkstate.model import Report

__version__ = "0.1.0"

__all__ = [
    "BulkstateError",
    "CanaryFailed",
    "CertificateDiffers",
    "CheckFailed",
    "CredentialsLost",
    "DeadlineReached",
    "DeadlineTooSoon",
    "DigestDiffers",
    "GatewayDown",
    "GatewayRefused",
    "GuardExceeded",
    "InputError",
    "Interrupted",
    "JournalDamaged",
    "JournalNotWritable",
    "KeepUnmatched",
    "NotAllowed",
    "NotConfirmed",
    "NotRestarted",
    "NotVerified",
    "NothingThere",
    "PipelineNotPaused",
    "PlanAltered",
    "PlanOutdated",
    "PlanStale",
    "Problem",
    "Refused",
    "Report",
    "RunExists",
    "RunInUse",
    "StageUnknown",
    "StatusUnread",
    "Stopped",
    "StoppedByHand",
    "TooManyFailed",
    "__version__",
    "load",
]
"""The public names: whatever isn't among them may change from one version to the next."""

_ROOMS = {"Report": "bulkstate.model", "load": "bulkstate.config"}
"""Where names are that take long to import."""


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_ROOMS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
