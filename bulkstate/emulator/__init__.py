"""The embedded gateway: the same HTTP API over a real store, for rehearsal and tests."""
