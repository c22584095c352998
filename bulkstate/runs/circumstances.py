"""Who works on a run, where, and for which job: as far as the machine and a CI system say so."""

from __future__ import annotations

import getpass
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from bulkstate.model import Circumstances

_Words: TypeAlias = Callable[[Mapping[str, str]], str]


def _named(name: str) -> _Words:
    return lambda environ: environ.get(name, "")


def _on_github(environ: Mapping[str, str]) -> str:
    server, repository, run = (
        environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    )
    return f"{server}/{repository}/actions/runs/{run}" if run else ""


def _on_azure(environ: Mapping[str, str]) -> str:
    names = ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    server, project, build = (environ.get(name, "") for name in names)
    return f"{server}{project}/_build/results?buildId={build}" if build else ""


_SYSTEMS: Final[Mapping[str, tuple[str, _Words, _Words]]] = {
    "GITHUB_ACTIONS": ("github", _on_github, _named("GITHUB_SHA")),
    "GITLAB_CI": ("gitlab", _named("CI_JOB_URL"), _named("CI_COMMIT_SHA")),
    "TF_BUILD": ("azure", _on_azure, _named("BUILD_SOURCEVERSION")),
    "JENKINS_URL": ("jenkins", _named("BUILD_URL"), _named("GIT_COMMIT")),
}
"""By the variable that each CI system sets: what it is called, where its job is found, and of which commit it is."""


def circumstances(environ: Mapping[str, str], reference: str = "") -> Circumstances:
    """Those of this process; what nobody says is empty. `reference` is what people call the reason, such as CHG123."""
    ci, job, commit = next(
        (
            (name, where(environ), commit_of(environ))
            for variable, (name, where, commit_of) in _SYSTEMS.items()
            if environ.get(variable)
        ),
        ("", "", ""),
    )
    now = time.localtime()
    zone = f"{time.strftime('%z', now)} {now.tm_zone}"
    return Circumstances(user(), platform.node(), ci, job, commit, reference, zone)


def user() -> str:
    """Who works here, as far as the machine knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
