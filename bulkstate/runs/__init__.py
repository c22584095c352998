"""One run put together from rooms that do not know each other."""
