"""Files, patterns and lists in place become relations: what is selected, stage by stage."""

from bulkstate.selection.fingerprints import Fingerprint, fingerprints
from bulkstate.selection.select import read_pairs, select
from bulkstate.selection.sources import STDIN, BlockSource, Entry, IdList, PairSource, Source

__all__ = [
    "STDIN",
    "BlockSource",
    "Entry",
    "Fingerprint",
    "IdList",
    "PairSource",
    "Source",
    "fingerprints",
    "read_pairs",
    "select",
]
