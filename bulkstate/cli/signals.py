"""Signals: heard at once while a command gets ready, and at its stop once it is at work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeVar

from bulkstate.errors import BulkstateError, Interrupted

if TYPE_CHECKING:  # this module is there before whatever takes long to import
    from anyio.abc import TaskStatus

    from bulkstate.runs.stopping import Stopping

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class SignalReceived(BaseException):
    """A signal, while nothing is sent. No `except Exception`, as around an import or in a library, takes it for its
    own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.ending = _interrupted(number)


def _interrupted(number: int) -> Interrupted:
    return Interrupted(f"{signal.Signals(number).name} received", signal_number=number)


def _minded() -> tuple[signal.Signals, ...]:
    """The signals that end a command: none that whoever started it told it to ignore, as `nohup` does."""
    return tuple(number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise SignalReceived(number)


@contextmanager
def heard() -> Iterator[None]:
    """Within this block a signal ends the command at once, with a word, also where nobody was ready yet to say it."""
    minded = _minded()
    try:
        for number in minded:
            signal.signal(number, _raise)
        yield
    except SignalReceived as received:
        print(f"bulkstate: {received.ending}", file=sys.stderr)  # noqa: T201
        raise SystemExit(received.ending.exit_code) from None
    finally:
        for number in minded:  # what is left to do is no work that could be ended with a word
            signal.signal(number, signal.SIG_DFL)


def attend(work: Callable[[Stopping], Awaitable[T]]) -> T:
    """Run `work` on the event loop, where a signal stops it."""
    import anyio

    options = {"use_uvloop": sys.platform != "win32"}
    return anyio.run(_attended, work, backend="asyncio", backend_options=options)


async def _attended(work: Callable[[Stopping], Awaitable[T]]) -> T:
    import anyio

    from bulkstate.runs.stopping import Stopping

    stopping = Stopping()
    async with anyio.create_task_group() as listening:
        await listening.start(_listen, stopping)
        try:
            return await work(stopping)
        except BulkstateError as error:
            ending = error
        finally:
            listening.cancel_scope.cancel()
    raise ending


async def _listen(stopping: Stopping, *, task_status: TaskStatus[None]) -> None:
    """The first signal ends the run gently; the second at once, for the journal bears it.

    But not a second SIGHUP: a terminal that goes away often sends two, and nobody means anything by that.
    """
    import anyio

    with anyio.open_signal_receiver(*_minded()) as received:
        task_status.started()
        async for number in received:
            if stopping.reason is not None and number != signal.SIGHUP:
                os._exit(128 + number)
            stopping.stop(_interrupted(number))
