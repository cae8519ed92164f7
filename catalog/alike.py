"""What looks alike among many: pairs of embeddings above a cosine, and the groups they make."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_BLOCK: Final = 2048
_COLUMNS: Final = 16_384


def alike(
    left: NDArray[np.float32], right: NDArray[np.float32], least: float
) -> list[NDArray[np.intp]]:
    """Pairs of a left and a right row whose cosine is at least ``least``, by blocks of the left.

    Args:
        left: float32 [N, F], unit length.
        right: float32 [M, F], unit length.
        least: cosine.

    Returns:
        intp [2, pairs] per block; none where there is no left row.
    """
    return [
        np.stack(np.nonzero(left[start : start + _BLOCK] @ right.T >= least))
        + np.array([[start], [0]])
        for start in range(0, len(left), _BLOCK)
    ]


def nearest(
    vectors: NDArray[np.float32],
    most: int,
    least: float,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each row, the others nearest to it, by blocks, so that little is held at a time.

    Args:
        vectors: float32 [N, F], unit length.
        most: others of each row at most.
        least: their cosine at least.
        progress: called after each block of rows with those done and all there are.

    Yields:
        pairs of a row and another as intp [P], [P]; either may come from both of its ends.
    """
    count = len(vectors)
    for start in range(0, count, _BLOCK):
        block = vectors[start : start + _BLOCK]
        best = np.full((len(block), most), -np.inf, np.float32)
        who = np.zeros((len(block), most), np.intp)
        for first in range(0, count, _COLUMNS):
            cosines = block @ vectors[first : first + _COLUMNS].T
            own = np.arange(start, start + len(block)) - first
            inside = (own >= 0) & (own < cosines.shape[1])
            cosines[np.flatnonzero(inside), own[inside]] = -np.inf
            take = min(most, cosines.shape[1])
            top = np.argpartition(-cosines, take - 1, axis=1)[:, :take]
            found = np.concatenate([best, np.take_along_axis(cosines, top, axis=1)], axis=1)
            numbers = np.concatenate([who, top + first], axis=1)
            keep = np.argpartition(-found, most - 1, axis=1)[:, :most]
            best = np.take_along_axis(found, keep, axis=1)
            who = np.take_along_axis(numbers, keep, axis=1)
        row, place = np.nonzero(best >= least)
        yield row + start, who[row, place]
        if progress:
            progress(start + len(block), count)


def connected(count: int, left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """The group of each of ``count`` things, intp from 0, where pairs intp [P] hold together."""
    edges = coo_array((np.ones(len(left), dtype=np.bool_), (left, right)), shape=(count, count))
    _, groups = connected_components(edges, directed=False)
    return np.asarray(groups, dtype=np.intp)
