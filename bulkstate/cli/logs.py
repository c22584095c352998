"""How log lines look, and where they go: stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from bulkstate.cli.options import LogStyle
from bulkstate.text import printable


def log_style(environment: Mapping[str, str]) -> LogStyle:
    """JSON where a CI system runs us (it sets `CI`), else for people."""
    return LogStyle.JSON if environment.get("CI") else LogStyle.CONSOLE


def set_up_logging(style: LogStyle) -> None:
    """Log to stderr from here on: our own events from INFO, those of libraries from WARNING."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(style),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # stderr is looked up for each line: while a bar is shown, something stands in for it that prints above the bar.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forwarding()], level=logging.WARNING, force=True)


def _rendering(style: LogStyle) -> tuple[structlog.typing.Processor, ...]:
    if style is LogStyle.JSON:
        return (structlog.processors.JSONRenderer(sort_keys=True),)
    return (
        _without_controls,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
    )


def _without_controls(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What a server sent is shown, and can't steer the terminal."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}


class _Forwarding(logging.Handler):
    """Hands what libraries log to structlog: the message alone, for a traceback tells a user nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), library=record.name)
