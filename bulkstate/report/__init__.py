"""From outcomes to what people and CI read."""
