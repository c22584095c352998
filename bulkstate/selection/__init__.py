"""Files, patterns and lists in place become relations: what is selected, stage by stage."""

from bulkstate.selection.fingerprints import Fingerprint, InputState
from bulkstate.selection.inputs import Inputs
from bulkstate.selection.remarks import strangers
from bulkstate.selection.select import read_pairs, select
from bulkstate.selection.sources import ASSET_ID, POINT_ID, STDIN, BlockSource, Entry, IdList, PairSource, Source

__all__ = [
    "ASSET_ID",
    "POINT_ID",
    "STDIN",
    "BlockSource",
    "Entry",
    "Fingerprint",
    "IdList",
    "InputState",
    "Inputs",
    "PairSource",
    "Source",
    "read_pairs",
    "select",
    "strangers",
]
