"""`python -m bulkstate`, and the installed command."""

from __future__ import annotations

from bulkstate.cli import signals


def main() -> None:
    """The `bulkstate` command. Signals are heard before anything is imported that takes time."""
    with signals.heard():
        from bulkstate.cli import commands

        commands.main()


if __name__ == "__main__":
    main()
