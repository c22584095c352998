"""Bulk deletion of EnOS stage state: planned exactly, paced to the gateway, recorded chunk by chunk."""

__version__ = "0.1.0"
