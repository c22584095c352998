"""Sets of pairs, pure: what is selected, what rectangles hold together, what a plan's chunks are."""
