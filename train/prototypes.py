"""What the training photos look like, in few embeddings: prototypes of each class."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

_PER_CLASS: Final = 4
_MOST: Final = 1024
_PHOTOS_PER_PROTOTYPE: Final = 3


def fit_prototypes(
    embeddings: NDArray[np.float32], targets: NDArray[np.int64], seed: int = 0
) -> NDArray[np.float32]:
    """Up to four cluster centres of each class, by k-means; a class of few photos has one.

    Args:
        embeddings: float32 [N, D], unit length.
        targets: int64 [N], class of each.
        seed: of the clustering.

    Returns:
        float32 [P, D], unit length; P is at most 1,024, or one per class where those are more.
    """
    classes = np.unique(targets)
    most = max(1, min(_PER_CLASS, _MOST // len(classes)))
    centres = []
    for number in classes:
        own = embeddings[targets == number]
        count = min(most, max(1, len(own) // _PHOTOS_PER_PROTOTYPE))
        centres.append(KMeans(count, n_init=1, random_state=seed).fit(own).cluster_centers_)
    found = np.concatenate(centres).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)
