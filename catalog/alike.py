"""What looks alike among many: pairs of embeddings above a cosine, and the groups they make."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_BLOCK: Final = 2048


def alike(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    least: float,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.intp]]:
    """Pairs of a left and a right row whose cosine is at least ``least``, by blocks of the left.

    Args:
        left: float32 [N, F], unit length.
        right: float32 [M, F], unit length.
        least: cosine.
        progress: called after each block with the left rows done and all there are.

    Returns:
        intp [2, pairs] per block; none where there is no left row.
    """
    found = []
    for start in range(0, len(left), _BLOCK):
        block = left[start : start + _BLOCK]
        found.append(np.stack(np.nonzero(block @ right.T >= least)) + np.array([[start], [0]]))
        if progress:
            progress(start + len(block), len(left))
    return found


def connected(count: int, left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """The group of each of ``count`` things, intp from 0, where pairs intp [P] hold together."""
    edges = coo_array((np.ones(len(left), dtype=np.bool_), (left, right)), shape=(count, count))
    _, groups = connected_components(edges, directed=False)
    return np.asarray(groups, dtype=np.intp)
