"""What ends a run: one tree, one exit code a branch.

    BulkstateError
    ├── InputError        2   the command line, the configuration or an input file is wrong; nothing was sent
    ├── Refused           4   refused before any delete
    │   ├── GuardExceeded       more pairs or requests than `safety` allows
    │   ├── KeepUnmatched       what is to be kept names nothing that is selected
    │   ├── CheckFailed         a pre-flight check, such as a pipeline that isn't paused
    │   ├── StageUnknown        a stage that the gateway doesn't know, or that has no state to delete
    │   ├── DeadlineTooSoon     the deadline has passed, or can't be met
    │   ├── NotConfirmed        no `--yes`, or a `no` at the question
    │   ├── NotAllowed          a plan or run that others made, and that nobody here vouches for
    │   ├── DigestDiffers       a plan that isn't the approved one
    │   ├── PlanAltered         a saved plan isn't as it was saved
    │   ├── PlanStale           an input of a saved plan has changed
    │   ├── PlanOutdated        a pipeline's version, or what has state, isn't what was looked at when the plan was made
    │   ├── RunExists           the run directory is there already
    │   └── RunInUse            another process works on the run directory, or on the pipeline
    ├── Stopped           5   stopped early; the run directory can be resumed
    │   ├── CredentialsLost     the gateway refuses them, and renewing them did not help
    │   ├── GatewayRefused      403, 404 or a redirect: no request will fare better
    │   ├── GatewayDown         every delete has failed for as long as `retry.outage` allows
    │   ├── PipelineNotPaused   a pipeline runs, or is gone, while its state was being deleted
    │   ├── StatusUnread        the gateway doesn't say any more whether the pipelines are paused
    │   ├── TooManyFailed       more requests have failed than `safety.max_failed` allows
    │   ├── DeadlineReached     the rest of the time is needed for reading back, or is over
    │   ├── CanaryFailed        the first request of a stage was answered well, and its state isn't gone
    │   ├── StoppedByHand       somebody asked for it, with `bulkstate ctl`
    │   ├── JournalNotWritable  an outcome could not be put on disk
    │   ├── JournalDamaged      what was recorded isn't what was written
    │   └── CertificateDiffers  a certificate isn't what its journal says
    ├── NothingThere      6   no pair that was looked at has state; nothing was sent
    ├── NotVerified       3   what a run deleted could not be read back
    ├── NotRestarted      3   all is deleted, and a pipeline that the run paused could not be started again
    └── Interrupted       129 SIGHUP, 130 SIGINT, 143 SIGTERM

A chunk's failure is never an exception: it is an `Outcome`. Exceptions end the run.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in what the user gave: what is wrong, where, and what to do.

    `where` is a file, `file:line`, or a command-line option; `field` is the path of a key in the
    configuration, such as `delete[0].where[1].assets`.
    """

    message: str
    where: str = ""
    field: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.where, self.field) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} ({self.hint})" if self.hint else text


class BulkstateError(Exception):
    """The root: everything that ends a run on purpose, with a message for people.

    `exit_code` is what a process says it with, `reason_code` which ending it is, for machines (`report/conclusion` has
    the list).
    """

    exit_code: int = 1
    reason_code: str = "bug"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(BulkstateError):
    """One or more mistakes in the command line, the configuration or an input file. Nothing was sent."""

    exit_code = 2
    reason_code = "wrong_input"

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Refused(BulkstateError):
    """Refused before any delete was sent."""

    exit_code = 4
    reason_code = "refused"


class GuardExceeded(Refused):
    """The plan holds more pairs or requests than the configuration's `safety` allows."""

    reason_code = "guard_exceeded"


class KeepUnmatched(Refused):
    """What is to be kept names no asset and no point that is selected: it is probably of something else."""

    reason_code = "keep_unmatched"


class CheckFailed(Refused):
    """A pre-flight check found the gateway or a pipeline not ready."""

    reason_code = "check_failed"


class StageUnknown(Refused):
    """The gateway doesn't know a stage or its pipeline (61106), or a stage has no state that can be deleted (61107)."""

    reason_code = "stage_unknown"


class DeadlineTooSoon(Refused):
    """The deadline has passed, or can't be met though nothing goes wrong."""

    reason_code = "deadline_too_soon"


class NotConfirmed(Refused):
    """Nobody agreed to the plan."""

    reason_code = "not_confirmed"


class NotAllowed(Refused):
    """A plan or a run directory that others may have written names a gateway or variables that nobody here vouched
    for."""

    reason_code = "not_allowed"


class DigestDiffers(Refused):
    """What somebody approved isn't what is there."""

    reason_code = "digest_differs"


class PlanAltered(Refused):
    """A saved plan isn't what it was when it was saved."""

    reason_code = "plan_altered"


class PlanStale(Refused):
    """An input that a saved plan was made of has changed since, or is gone."""

    reason_code = "plan_stale"


class PlanOutdated(Refused):
    """A pipeline has another version, or an entry no state any more, since somebody looked at the plan."""

    reason_code = "plan_outdated"


class RunExists(Refused):
    """The run directory exists already, and a run never overwrites another."""

    reason_code = "run_exists"


class RunInUse(Refused):
    """Another process holds the run directory, or the same pipeline of the same gateway."""

    reason_code = "run_in_use"


class Stopped(BulkstateError):
    """The run stopped early. What was done is in the journal; the run can be resumed."""

    exit_code = 5
    reason_code = "stopped"


class CredentialsLost(Stopped):
    """The gateway refuses the credentials, and renewing them did not help."""

    reason_code = "credentials"


class GatewayRefused(Stopped):
    """The gateway answered 403, 404 or a redirect: no request of this run will fare better."""

    reason_code = "gateway_refused"


class GatewayDown(Stopped):
    """Every delete has failed for so long that nobody knows when it will end."""

    reason_code = "outage"


class PipelineNotPaused(Stopped):
    """A pipeline was found running, or gone, while its state was being deleted."""

    reason_code = "unpaused"


class DeadlineReached(Stopped):
    """What is left of the time before the deadline is needed for reading back, or it is over. `unread` says why what is
    left could not be read back, if so."""

    reason_code = "deadline"
    unread = ""


class CanaryFailed(Stopped):
    """The first request of a stage was answered "deleted", and its state isn't gone, or none could be deleted."""

    reason_code = "canary"


class StoppedByHand(Stopped):
    """Somebody asked the run to stop, with `bulkstate ctl`."""

    reason_code = "stopped_by_hand"


class TooManyFailed(Stopped):
    """More requests have failed than the configuration's `safety` allows."""

    reason_code = "too_many_failed"


class StatusUnread(Stopped):
    """The gateway doesn't say any more whether the pipelines are paused, so the latest deletes are in doubt."""

    reason_code = "status_unread"


class JournalNotWritable(Stopped):
    """An outcome could not be put on disk, so no further request may be sent."""

    reason_code = "journal"


class NothingThere(BulkstateError):
    """None of the pairs that were looked at has state: whoever selected them meant others. Nothing was sent."""

    exit_code = 6
    reason_code = "nothing_there"


class JournalDamaged(Stopped):
    """What a journal holds isn't what was written into it."""

    reason_code = "damaged"


class CertificateDiffers(Stopped):
    """A certificate isn't what its journal says."""

    reason_code = "certificate_differs"


class NotVerified(BulkstateError):
    """What a run deleted could not be read back."""

    exit_code = 3
    reason_code = "not_verified"


class NotRestarted(BulkstateError):
    """All that was asked for is deleted, and a pipeline that the run paused could not be started again."""

    exit_code = 3
    reason_code = "not_restarted"


class Interrupted(BulkstateError):
    """A signal ended the run: 129 for SIGHUP, 130 for SIGINT, 143 for SIGTERM."""

    reason_code = "interrupted"

    def __init__(self, message: str, *, signal_number: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal_number
