"""Middle-layer codes: the fewest rectangles of a crown, and a beginning for blocks that are nearly one.

A crown is a block of which each row lacks one column. Give each column a different set of k/2 out of k numbers, and
take for each number the columns that have it, with the rows that are whole on them: a cell (r, q) is covered by any
number that q has and the column that r lacks hasn't, and there is one, as no such set lies inside another. C(k, k/2)
columns take k rectangles (de Caen, Gregory and Pullman, 1981), and Sperner's argument says that fewer won't do.
"""

from __future__ import annotations

from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.sperner import needed_by_apart


def middle_layer(columns: int) -> NDArray[np.bool_]:
    """A rectangle a row: flags of its columns."""
    count = needed_by_apart(columns)
    codes = np.zeros((count, columns), np.bool_)
    for column, numbers in enumerate(islice(combinations(range(count), count // 2), columns)):
        codes[list(numbers), column] = True
    return codes
