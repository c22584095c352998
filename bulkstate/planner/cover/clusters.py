"""Clusters of similar rows by min-hash (Broder 1997): rows of one model, whatever firmware they run and whichever
pairs they lack."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.incidence import Incidence, Partition, partition_of

_HASHES = 24
# Of the 24: an estimated Jaccard similarity of 0.6. Firmware variants of a model have 0.8, a model and its child 0.25.
_AGREE = 15
_ROUNDS = 8
_MOST_LEADERS = 6_000  # comparing leaders with each other is quadratic


def cluster_rows(rows: Incidence, weights: NDArray[np.int64], seed: int, expired: Callable[[], bool]) -> Partition:
    """Rows (none of them empty) put into clusters around leaders, heavy rows first; unlike rows stay alone."""
    sketches = _sketches(rows, seed)
    leader = _follow(sketches, weights)
    leaders = np.unique(leader)
    merged = _merge_leaders(sketches[:, leaders], expired) if leaders.size <= _MOST_LEADERS else np.arange(leaders.size)
    labels = merged[np.searchsorted(leaders, leader)]
    return partition_of(labels.astype(np.uint64)[:, None])


def _sketches(rows: Incidence, seed: int) -> NDArray[np.int32]:
    rng = np.random.default_rng(seed)
    sketches = np.empty((_HASHES, rows.height), dtype=np.int32)
    for sketch in sketches:
        rank = rng.permutation(rows.width).astype(np.int32)
        sketch[:] = np.minimum.reduceat(rank[rows.columns], rows.starts[:-1])
    return sketches


def _follow(sketches: NDArray[np.int32], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row its leader: the heaviest row with the same hash in some round, if the two agree in most hashes."""
    leader = np.full(weights.size, -1, dtype=np.int64)
    for hashes in sketches[:_ROUNDS]:
        left = np.flatnonzero(leader < 0)
        if not left.size:
            break
        order = left[np.lexsort((left, -weights[left], hashes[left]))]
        fresh = np.ones(order.size, dtype=bool)
        fresh[1:] = hashes[order][1:] != hashes[order][:-1]
        heaviest = order[fresh][np.cumsum(fresh) - 1]
        agree = (sketches[:, order] == sketches[:, heaviest]).sum(axis=0) >= _AGREE
        leader[order[agree]] = heaviest[agree]
    alone = np.flatnonzero(leader < 0)
    leader[alone] = alone
    return leader


def _merge_leaders(sketches: NDArray[np.int32], expired: Callable[[], bool]) -> NDArray[np.int64]:
    labels = np.arange(sketches.shape[1])
    for number in range(labels.size):
        if expired():
            break
        like = (sketches == sketches[:, number : number + 1]).sum(axis=0) >= _AGREE
        touched = np.unique(labels[like])
        if touched.size > 1:
            labels[np.isin(labels, touched)] = touched[0]
    return labels
