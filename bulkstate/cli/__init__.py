"""The commands: what people and pipelines type, and what they are told."""
