"""Pure decisions: time and randomness are arguments, so an hour of running is tested in milliseconds."""
