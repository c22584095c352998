"""Files, patterns and lists in place become relations: what is selected, stage by stage."""

from bulkstate.selection.select import read_pairs, select
from bulkstate.selection.sources import STDIN, BlockSource, Entry, IdList, PairSource, Source

__all__ = ["STDIN", "BlockSource", "Entry", "IdList", "PairSource", "Source", "read_pairs", "select"]
