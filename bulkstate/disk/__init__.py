"""What outlives the process: the journal, saved plans, locks, what is asked of a run, what is known of a gateway."""
