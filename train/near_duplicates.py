"""Photos that must stay on one side of a split: of one product, or nearly the same.

A photo whose twin was trained on is no test: on grocery, where many photos were taken from one spot
in a shop, the probe has 0.97 of such photos right and 0.75 of those of another visit.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.alike import alike, connected

# Cosine of centred features. Dance's 18 pairs of near-duplicates begin at 0.72; at 0.8 grocery's
# photos set aside are as hard as 0.83, fashion's, where products do look alike, 0.84 (truly 0.88).
ALIKE: Final = 0.8
# A category of fewer groups could not be split; its products are then told apart by id alone.
_FEWEST: Final = 5


def group_photos(
    features: NDArray[np.float32],
    categories: Sequence[str],
    products: Sequence[str],
    least: float = ALIKE,
) -> NDArray[np.intp]:
    """The group of each photo; photos of one product share it, and such as look nearly the same.

    Nearly the same is a cosine of ``least`` between centred features, within one category. Where
    that would leave a category fewer than five groups, only its products are kept together.

    Args:
        features: float32 [N, F] of the pretrained backbone.
        categories: category path per photo.
        products: product id per photo; a product has one category.
        least: cosine from which two photos are nearly the same.

    Returns:
        intp [N], from 0.
    """
    directions = centred_directions(features, features.mean(axis=0))
    _, category = np.unique(np.asarray(categories), return_inverse=True)
    _, product = np.unique(np.asarray(products), return_inverse=True)
    groups = np.zeros(len(features), dtype=np.intp)
    count = 0
    for number in range(int(category.max(initial=-1)) + 1):
        rows = np.flatnonzero(category == number)
        own = _grouped(directions[rows], product[rows], least)
        groups[rows] = count + own
        count += int(own.max()) + 1
    return groups


def centred_directions(
    features: NDArray[np.float32], mean: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Unit vectors float32 [N, F] from the mean float32 [F] to the features float32 [N, F]."""
    directions = features - mean
    directions /= np.linalg.norm(directions, axis=1, keepdims=True) + 1e-12
    return directions


def _grouped(
    directions: NDArray[np.float32], products: NDArray[np.intp], least: float
) -> NDArray[np.intp]:
    """The groups of one category's photos, from 0."""
    _, first, product = np.unique(products, return_index=True, return_inverse=True)
    photos = np.arange(len(products))
    left, right = np.concatenate(
        [np.stack([photos, first[product]]), *alike(directions, directions, least)], axis=1
    )
    groups = connected(len(photos), left, right)
    few = groups.max() + 1 < min(_FEWEST, len(first))
    return product if few else groups
