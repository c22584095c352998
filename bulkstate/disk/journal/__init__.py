"""The run's record: one SQLite file in the run directory, with the plan in it. Rows are added, never changed (law 3).

`Record` reads it, from any process and while a run writes it; `Journal` is the one that writes.
"""

from bulkstate.disk.journal.chain import Head
from bulkstate.disk.journal.facts import Agreement, Deadline, Ending, Input, Pause, RunFacts, SessionRecord
from bulkstate.disk.journal.record import RESUMED, RETRIED, Record
from bulkstate.disk.journal.rows import sent_history
from bulkstate.disk.journal.tables import FILE_NAME, FORMAT, existing
from bulkstate.disk.journal.writing import Hop, Journal, WriterThread, inline, make_run_directory

__all__ = [
    "FILE_NAME",
    "FORMAT",
    "RESUMED",
    "RETRIED",
    "Agreement",
    "Deadline",
    "Ending",
    "Head",
    "Hop",
    "Input",
    "Journal",
    "Pause",
    "Record",
    "RunFacts",
    "SessionRecord",
    "WriterThread",
    "existing",
    "inline",
    "make_run_directory",
    "sent_history",
]
