"""Runs that somebody told wrong, and right ones beside them, against a world that knows the truth."""
