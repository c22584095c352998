"""`rate: auto`: a limit that nobody tells, found and followed."""
