"""Where a plan or a run directory comes from, and so how far it is believed.

What this user made here, and nobody changed since, is taken at its word. What others may have written says *what* is
deleted, but never *where*, *as whom*, or which files are written: for that somebody here has to vouch.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import orjson
import structlog

from bulkstate import config
from bulkstate.config import Embedded, Gateway, ReportFiles, Settings
from bulkstate.disk import remembered
from bulkstate.disk.journal import Record
from bulkstate.disk.saved_plan import SavedPlan
from bulkstate.errors import DigestDiffers, InputError, NotAllowed, Problem
from bulkstate.gateway.address import one_spelling
from bulkstate.model import Pair, Plan, Stage
from bulkstate.pairs.target import target_digest
from bulkstate.policy.spot_checks import SpotCheck
from bulkstate.runs.allowed import ALLOW_GATEWAYS, ALLOW_VARIABLES, names
from bulkstate.runs.briefing import credentials_of
from bulkstate.selection import Fingerprint
from bulkstate.text import printable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stored:
    """A plan or a run as it was kept: `what` it is, in words; its `configuration`, a JSON document.

    `seal` is the digest of all that steers it: that of the approval for a plan. `place` is the gateway, in one
    spelling, and organisation that it is for, and `target` the digest of what is deleted there.
    """

    what: str
    configuration: str
    seal: str
    place: tuple[str, str]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Voucher:
    """What somebody here brings to vouch for what others may have made.

    `config` is a configuration of their own; `digest` that of the target or the approval, told by whom they trust;
    `asked`: they will be asked, and shown where, as whom, and what.
    """

    environ: Mapping[str, str]
    config: Path | None = None
    digest: str = ""
    asked: bool = False


def place_of(settings: Settings) -> tuple[str, str]:
    """The gateway, in one spelling, and the organisation that settings are for."""
    gateway = settings.gateway
    return (one_spelling(gateway.url), gateway.org_id) if isinstance(gateway, Gateway) else ("embedded", "")


def run_stored(record: Record, directory: Path) -> Stored:
    """A run as its journal has it."""
    facts = record.facts
    steering = [facts.name, facts.created_at, facts.gateway, facts.organisation, facts.configuration, facts.version]
    seal = _digest("run", *steering, facts.target, facts.approval, record.plan.digest)
    place = ("embedded", "") if facts.gateway.startswith("embedded:") else (facts.gateway, facts.organisation)
    return Stored(f"the run in {directory}", facts.configuration, seal, place, facts.target)


def plan_stored(saved: SavedPlan, path: Path) -> Stored:
    """A plan as its file has it."""
    what = f"the plan {path}"
    place = place_of(settings_in(what, saved.configuration))
    approval = approval_digest(saved.plan, saved.configuration, saved.witnesses, saved.inputs, saved.spot_checks)
    return Stored(what, saved.configuration, approval, place, target_digest(*place, saved.plan.stages))


def approval_digest(
    plan: Plan,
    configuration: str,
    witnesses: Iterable[tuple[Stage, Pair]],
    inputs: Iterable[Fingerprint],
    spot_checks: Iterable[SpotCheck],
) -> str:
    """The digest of all that somebody agrees to with a plan: what is sent, the configuration, witnesses, files, and
    what is looked at before."""
    spared = [[*astuple(stage), *astuple(pair)] for stage, pair in witnesses]
    files = [[str(each.path), each.size, each.sha256] for each in inputs]
    looks = [
        [*astuple(each.stage), each.assets, each.points, list(map(astuple, each.spots)), each.closer]
        for each in spot_checks
    ]
    return _digest("approval", plan.digest, configuration, spared, files, looks)


def _digest(*parts: object) -> str:
    """SHA-256, in hex, of a list in JSON, which is spelt in one way."""
    return sha256(orjson.dumps(parts)).hexdigest()


def remember(what: str, seal: str) -> None:
    """It was made here. Where that can't be kept it is said: whoever goes on with it will have to vouch for it."""
    try:
        remembered.remember(seal)
    except OSError as error:
        log.warning("it can't be remembered that this was made here", what=what, reason=str(error))


def announce(settings: Settings) -> None:
    """Say where calls go, and as whom, before there are any."""
    if isinstance(settings.gateway, Gateway):
        gateway, organisation = place_of(settings)
        variables = ", ".join(credentials_of(settings))
        log.info("calls go to", gateway=gateway, organisation=organisation, credentials=variables)


def settings_of(stored: Stored, voucher: Voucher) -> Settings:
    """The settings to go on with, as far as they are believed.

    NotAllowed where somebody would have to vouch for them, DigestDiffers where a digest is neither the target's nor the
    approval's; InputError if they can't be read, or a secret's variable isn't set.
    """
    found = settings_in(stored.what, stored.configuration)
    if voucher.digest not in ("", stored.target, stored.seal):
        message = f"{stored.what} has another digest: its target is {stored.target}, its approval {stored.seal}"
        raise DigestDiffers(message, hint="nothing was sent: ask whoever approved it which plan they meant")
    if voucher.config is not None:
        return _of_ones_own(stored, found, voucher.config, voucher.environ)
    believed = voucher.digest == stored.seal or remembered.is_remembered(stored.seal)
    return _with_secrets(found if believed else _vouched(stored, found, voucher), voucher.environ)


def _of_ones_own(stored: Stored, found: Settings, file: Path, environ: Mapping[str, str]) -> Settings:
    """With gateway, credentials and report files from a configuration of one's own. NotAllowed if it is for another
    place."""
    own = config.load(file, environ)
    if not place_of(own) == place_of(found) == stored.place:
        message = f"{file} is for {_told(place_of(own))}, and {stored.what} for {_told(stored.place)}"
        raise NotAllowed(message, hint="nothing was sent: name the configuration that it belongs to")
    return replace(found, gateway=own.gateway, report=own.report)


def _vouched(stored: Stored, found: Settings, voucher: Voucher) -> Settings:
    """What others may have written, as far as somebody here vouches for it; without report files, which nobody does."""
    for name, file in (("report_json", found.report.json), ("report_certificate", found.report.certificate)):
        if file is not None:
            log.warning("left out: it comes from elsewhere", what=stored.what, **{name: str(file)})
    found = replace(found, report=ReportFiles())
    if place_of(found) != stored.place:
        raise InputError(Problem("its settings are for another gateway than the run", stored.what))
    if isinstance(found.gateway, Embedded) or voucher.asked or voucher.digest:
        return found
    if not names(voucher.environ, place_of(found)[0], credentials_of(found)):
        raise NotAllowed(_not_allowed(stored, found), hint=_how(found))
    if found.gateway.ca_pem is not None:
        log.warning("left out: it comes from elsewhere", what=stored.what, ca_file="the certificates to trust")
    return replace(found, gateway=replace(found.gateway, ca_pem=None))


def _not_allowed(stored: Stored, found: Settings) -> str:
    secrets = " and ".join(credentials_of(found))
    return f"{stored.what} wasn't made here, or was changed since: it would send {secrets} to {_told(place_of(found))}"


def _told(place: tuple[str, str]) -> str:
    gateway, organisation = map(printable, place)
    return f"{gateway}, organisation {organisation}" if organisation else f"the {gateway} gateway"


def _how(found: Settings) -> str:
    gateways, variables = shlex.quote(printable(place_of(found)[0])), ",".join(credentials_of(found))
    return f"say --config CONFIG, a file of yours; or set {ALLOW_GATEWAYS}={gateways} {ALLOW_VARIABLES}={variables}"


# ── reading what others may have written ──────────────────────────────────────────────────────────────────────────


@dataclass
class _Names(Mapping[str, str]):
    """An environment in which everything is set and nothing can be learnt. It remembers what it was asked for."""

    asked: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return "set"

    def __iter__(self) -> Iterator[str]:
        return iter(self.asked)

    def __len__(self) -> int:
        return len(self.asked)

    def __bool__(self) -> bool:
        return True


def settings_in(what: str, document: str) -> Settings:
    """The settings as they stand, without a look at the environment: a document that is kept refers to it for
    credentials alone, and whatever else does would have it sent somewhere."""
    asked = _Names()
    settings = config.from_document(document, asked, what)
    foreign = sorted(asked.asked.difference(credentials_of(settings)))
    if foreign:
        raise InputError(Problem(f"refers to {foreign[0]} where no secret belongs", what))
    return settings


def _with_secrets(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The same, once it is sure that the variables are set. InputError."""
    if isinstance(settings.gateway, Gateway):
        config.revealed(settings.gateway.auth, environ)
    return settings
