"""stderr that takes what is written at once: a thread of its own passes it on.

A reader that is slow, stuck or gone, or a disk that is full, holds up nobody and ends nothing. What doesn't fit is
dropped, and so is what nobody takes; how much, is said as soon as something can be said again.
"""

from __future__ import annotations

import io
import os
import select
import threading
from collections import deque
from typing import Final

MOST_BYTES: Final = 1 << 20
"""So many bytes wait to be passed on at the most."""

DRAIN_SECONDS: Final = 2.0
"""How long a process waits at its end for what is left to be passed on."""


class PatientStderr(io.TextIOBase):
    """In the place of `sys.stderr`. `encoding` is that of what it stands for; what it can't show becomes a `?`."""

    def __init__(self, descriptor: int, encoding: str, most: int = MOST_BYTES) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._most = most
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._lost = 0
        self._changed = threading.Condition()
        self._passing_on: threading.Thread | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        """What the bytes are written in."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of what that can't say."""
        return "replace"

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether people read it."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Have it passed on, if there is room for it."""
        content = text.encode(self._encoding, "replace")
        with self._changed:
            if self._held + len(content) > self._most:
                self._lost += _lines(content)
                return len(text)
            self._waiting.append(content)
            self._held += len(content)
            if self._passing_on is None:
                self._passing_on = threading.Thread(target=self._pass_on, name="stderr", daemon=True)
                self._passing_on.start()
            self._changed.notify_all()
        return len(text)

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until everything is passed on, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held, seconds)

    def _pass_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                content = b"".join(self._waiting)
                self._waiting.clear()
                lost = self._lost
            notice = f"bulkstate: {lost:,} lines were lost here\n".encode() if lost else b""
            taken = self._send(notice + content)
            with self._changed:
                self._held -= len(content)
                self._lost += -lost if taken else _lines(content)
                self._changed.notify_all()

    def _send(self, content: bytes) -> bool:
        """Whether somebody took it. An error of now says nothing of the next line: a disk may have room again."""
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True


def _lines(content: bytes) -> int:
    return content.count(b"\n")
