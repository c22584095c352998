"""From relations to a plan: exactly the selected pairs, in the fewest requests."""
