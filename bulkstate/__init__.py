"""Bulk deletion of EnOS stage state: planned exactly, paced to the gateway, recorded chunk by chunk."""

import os

# Before numpy is imported: the planner's products are small, and threads that wait for each other on busy cores made
# them four to ten times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
