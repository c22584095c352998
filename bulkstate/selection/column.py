"""IDs as they come from a source, without their repetitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of a table: the different IDs, in no order, and for each row the position of its ID among them."""

    ids: list[str]
    codes: NDArray[np.uint32]

    @classmethod
    def of(cls, ids: Sequence[str]) -> Column:
        """The column of these IDs, a row each."""
        places = {id_: place for place, id_ in enumerate(dict.fromkeys(ids))}
        return cls(list(places), np.array([places[id_] for id_ in ids], np.uint32))

    def only(self, rows: NDArray[np.bool_]) -> Column:
        """The column of some of the rows."""
        return Column(self.ids, self.codes[rows])

    def at(self, rows: NDArray[np.int64]) -> Column:
        """The column of the rows at these places, with no IDs but theirs."""
        codes, places = np.unique(self.codes[rows], return_inverse=True)
        return Column([self.ids[code] for code in codes.tolist()], places.astype(np.uint32))

    def equal(self, id_: str) -> NDArray[np.bool_]:
        """Which rows have this ID."""
        place = self.ids.index(id_) if id_ in self.ids else -1
        return np.asarray(self.codes == place)

    def counts(self) -> Counter[str]:
        """The IDs that rows have, and how many have each."""
        counts = np.bincount(self.codes, minlength=len(self.ids)).tolist()
        return Counter({id_: count for id_, count in zip(self.ids, counts, strict=True) if count})

    def spelt_out(self) -> list[str]:
        """The ID of every row."""
        return list(map(self.ids.__getitem__, self.codes.tolist()))
