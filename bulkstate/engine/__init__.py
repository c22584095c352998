"""Sending: chunks to the gateway, one turn at a time, each outcome handed to the journal before it counts."""
