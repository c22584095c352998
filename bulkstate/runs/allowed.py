"""Lists of what may be called, whose, and as whom: in the configuration, and in the environment of whoever runs it.

A run of production is one letter away from one of staging. Where there are lists, whatever isn't on them is refused
before a file is read or anybody is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bulkstate.config import Embedded, Settings
from bulkstate.errors import NotAllowed
from bulkstate.gateway.address import mistake_in, one_spelling
from bulkstate.runs.briefing import credentials_of
from bulkstate.text import printable

ALLOW_GATEWAYS: Final = "BULKSTATE_ALLOW_GATEWAYS"
ALLOW_VARIABLES: Final = "BULKSTATE_ALLOW_VARIABLES"
_VARIABLES: Final = {
    "gateways": ALLOW_GATEWAYS,
    "organisations": "BULKSTATE_ALLOW_ORGANISATIONS",
    "pipelines": "BULKSTATE_ALLOW_PIPELINES",
    "variables": ALLOW_VARIABLES,
}
"""Environment variables that hold such lists, apart by commas."""


def require_allowed(settings: Settings, pipelines: Iterable[str], environ: Mapping[str, str]) -> None:
    """NotAllowed if a list doesn't name what the settings would use. The embedded gateway is everybody's own."""
    gateway = settings.gateway
    if isinstance(gateway, Embedded):
        return
    used = {
        "gateways": {_address(gateway.url)},
        "organisations": {gateway.org_id},
        "pipelines": set(pipelines),
        "variables": set(credentials_of(settings)),
    }
    for kind, names in used.items():
        for where, listed in _lists(settings, kind, environ):
            if others := sorted(names - set(listed)):
                said = ", ".join(map(printable, others))
                message = f"{said} isn't among the {kind} that {where} allows: {', '.join(listed) or 'none'}"
                raise NotAllowed(message, hint="nothing was sent: correct the configuration, or the list")


def _lists(settings: Settings, kind: str, environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The lists that there are of a kind, and where each stands."""
    in_configuration: tuple[str, ...] | None = getattr(settings.allow, kind)
    variable = _VARIABLES[kind]
    lists = ((f"allow.{kind}", in_configuration), (variable, listed_in(environ, variable)))
    for where, listed in lists:
        if listed is not None:
            yield where, tuple(map(_address, listed)) if kind == "gateways" else listed


def listed_in(environ: Mapping[str, str], variable: str) -> tuple[str, ...] | None:
    """What such a variable lists; None if it isn't set."""
    listed = environ.get(variable)
    return None if listed is None else tuple(filter(None, map(str.strip, listed.split(","))))


def names(environ: Mapping[str, str], gateway: str, variables: Iterable[str]) -> bool:
    """Whether the environment names the gateway, in one spelling, and all these variables; not if it has no lists."""
    gateways = map(_address, listed_in(environ, ALLOW_GATEWAYS) or ())
    return gateway in gateways and set(variables) <= set(listed_in(environ, ALLOW_VARIABLES) or ())


def _address(url: str) -> str:
    return url if mistake_in(url) else one_spelling(url)
