"""Set cover and independent set as integer programmes for HiGHS (one thread, bounded by nodes, so that runs repeat).

HiGHS is imported where it is needed: it takes a tenth of a second, and most relations do without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bits import to_list

if TYPE_CHECKING:
    import highspy

_UNIT = 10_000_000  # dual values are kept as whole multiples of 1 / _UNIT


@dataclass(frozen=True)
class ChosenSets:
    """Sets chosen by the solver, by number; `optimal` if it proved that no fewer (or no more) will do."""

    chosen: tuple[int, ...]
    optimal: bool


def minimum_cover(
    sets: list[int], size: int, nodes: int, entries: int, at_most: int, expired: Callable[[], bool]
) -> ChosenSets | None:
    """The fewest of `sets` whose union is `range(size)`; None if none of fewer than `at_most` sets was found.

    The linear relaxation is asked first: where its value is far from `at_most`, or the programme has over
    `entries` entries, branching takes minutes and finds nothing (crown graphs), so it isn't tried.
    """
    import highspy

    if sum(map(int.bit_count, sets)) > entries or expired():
        return None
    relaxed = _incidence(sets, size, expired, at_least_one=True, whole=False)
    relaxed.run()
    if relaxed.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    least = math.ceil(relaxed.getInfo().objective_function_value - 1e-6)
    if not at_most - max(1, at_most // 20) <= least < at_most:
        return None
    model = _incidence(sets, size, expired, at_least_one=True)
    model.setOptionValue("objective_bound", float(at_most))
    return _solve(model, len(sets), nodes)


def maximum_independent(
    cliques: list[int], size: int, nodes: int, entries: int, expired: Callable[[], bool]
) -> ChosenSets | None:
    """The most of `range(size)` with at most one member in each clique."""
    if sum(map(int.bit_count, cliques)) > entries or expired():
        return None
    return _solve(_incidence(cliques, size, expired, at_least_one=False), size, nodes)


def fractional_weights(cliques: list[int], size: int, expired: Callable[[], bool]) -> NDArray[np.int64]:
    """Whole weights of the vertices that solve the dual of the fractional clique cover, up to scale and rounding, or
    come near it."""
    model = _incidence(cliques, size, expired, at_least_one=False, whole=False)
    model.run()
    weights = np.array(model.getSolution().col_value)
    if len(weights) != size:
        return np.zeros(size, np.int64)
    units: NDArray[np.int64] = np.maximum(np.floor(weights * _UNIT), 0).astype(np.int64)
    return units


def _incidence(
    sets: list[int], size: int, expired: Callable[[], bool], *, at_least_one: bool, whole: bool = True
) -> highspy.Highs:
    """Covering: a column for each set, a row for each element. Packing: a column for each element, a row for each
    set."""
    import highspy

    lists = [to_list(one) for one in sets]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    flat = np.array([element for one in lists for element in one], dtype=np.int32)
    programme = highspy.HighsLp()
    columns, rows = (len(sets), size) if at_least_one else (size, len(sets))
    programme.num_col_, programme.num_row_ = columns, rows
    programme.col_cost_ = np.ones(columns)
    programme.col_lower_, programme.col_upper_ = np.zeros(columns), np.ones(columns)
    infinity = np.full(rows, highspy.kHighsInf)
    programme.row_lower_ = np.ones(rows) if at_least_one else -infinity
    programme.row_upper_ = infinity if at_least_one else np.ones(rows)
    layout = highspy.MatrixFormat.kColwise if at_least_one else highspy.MatrixFormat.kRowwise
    programme.a_matrix_.format_ = layout
    programme.a_matrix_.start_, programme.a_matrix_.index_ = starts, flat
    programme.a_matrix_.value_ = np.ones(flat.size)
    programme.sense_ = highspy.ObjSense.kMinimize if at_least_one else highspy.ObjSense.kMaximize
    if whole:
        programme.integrality_ = [highspy.HighsVarType.kInteger] * columns
    return _model(programme, expired)


def _model(programme: highspy.HighsLp, expired: Callable[[], bool]) -> highspy.Highs:
    model = _silent()
    for callback in (model.cbSimplexInterrupt, model.cbMipInterrupt):
        callback.subscribe(lambda event: event.interrupt() if expired() else None)
    for option, value in (("threads", 1), ("random_seed", 1), ("parallel", "off")):
        model.setOptionValue(option, value)
    model.passModel(programme)
    return model


def _silent() -> highspy.Highs:
    """A solver that prints nothing. From 1.16 on its constructor sets up callbacks, at which HiGHS prints a banner on
    descriptor 1: by then it has to be silent."""
    import highspy

    class Silent(highspy.Highs):
        def enableCallbacks(self) -> None:  # noqa: N802 - its name in highspy
            self.setOptionValue("output_flag", False)
            super().enableCallbacks()  # type: ignore[no-untyped-call]

    model = Silent()  # type: ignore[no-untyped-call]
    model.setOptionValue("output_flag", False)
    return model


def _solve(model: highspy.Highs, count: int, nodes: int) -> ChosenSets | None:
    import highspy

    model.setOptionValue("mip_max_nodes", nodes)
    model.setOptionValue("mip_abs_gap", 0.999)
    model.run()
    optimal = model.getModelStatus() in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kObjectiveBound)
    values = model.getSolution().col_value
    if len(values) != count or not model.getSolution().value_valid:
        return None
    return ChosenSets(tuple(np.flatnonzero(np.array(values) > 0.5).tolist()), optimal)
