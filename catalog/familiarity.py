"""Whether a photo is like anything the model learnt: nearness to the training photos' embeddings.

The nearest-neighbour score of Sun et al. 2022 (arXiv:2204.06507), with cluster centres for
neighbours: the likeliest class alone is often sure of photos that are nothing it knows.
"""

import numpy as np
from numpy.typing import NDArray


def familiarity(
    embeddings: NDArray[np.float32], prototypes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Cosine to the nearest prototype.

    Args:
        embeddings: float32 [N, D], unit length.
        prototypes: float32 [P, D], unit length.

    Returns:
        float32 [N].
    """
    return np.asarray((embeddings @ prototypes.T).max(axis=1), dtype=np.float32)


def most_familiar(
    embedding: NDArray[np.float32] | None, prototypes: NDArray[np.float32] | None
) -> float | None:
    """`familiarity` of one photo's float32 [D]; None where there is no photo or no prototype."""
    if embedding is None or prototypes is None:
        return None
    return float(familiarity(embedding[None], prototypes)[0])
