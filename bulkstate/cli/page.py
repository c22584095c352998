"""stdout as a page of text."""

from __future__ import annotations

from rich.console import Console


class Page(Console):
    """stdout for text. rich would end the process, with exit code 1, where the reader has left."""

    def on_broken_pipe(self) -> None:
        """Leave it to `terminal.printing`: called while a BrokenPipeError is being handled."""
        raise
