"""Which training photos go with the model, to be shown beside its answers."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.examples import Examples
from catalog.images import jpeg
from train.photos import Photos

_MOST: Final = 2048
_SIDE: Final = 128  # px


def choose_examples(
    photos: Photos, embeddings: NDArray[np.float32], targets: NDArray[np.int64], seed: int = 0
) -> Examples:
    """All photos, or 2,048 of them spread over the classes as evenly as these allow.

    Args:
        photos: that were trained on or set aside.
        embeddings: float32 [N, D], unit length.
        targets: int64 [N], class of each.
        seed: of the choice within a class.
    """
    rng = np.random.default_rng(seed)
    turn = np.empty(len(targets), dtype=np.int64)
    for number in np.unique(targets):
        own = np.flatnonzero(targets == number)
        turn[rng.permutation(own)] = np.arange(len(own))
    kept = np.sort(np.argsort(turn, kind="stable")[:_MOST])
    return Examples(
        tuple(photos.rows[row].image or "" for row in kept),
        tuple(photos.rows[row].category or "" for row in kept),
        embeddings[kept],
        tuple(jpeg(np.asarray(photos.plain[row]), _SIDE) for row in kept),
    )
