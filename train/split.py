"""Stratified splits that keep all photos of one product on one side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# So many photos tell a temperature and a decline; more of them are better trained on.
_ENOUGH = 150


def assign_folds(
    categories: Sequence[str], products: Sequence[str], folds: int, seed: int
) -> NDArray[np.intp]:
    """The fold of each row: a product's rows share one, a category's products spread evenly.

    Args:
        categories: category path per row.
        products: product id per row; a product has one category.
        folds: how many.
        seed: of the shuffle.

    Returns:
        intp [N], 0 to folds - 1.
    """
    fold_of: dict[str, int] = {}
    # One count goes on over all categories, so that no fold collects all the small ones.
    for names in _shuffled_products(categories, products, seed):
        for name in names:
            fold_of[name] = len(fold_of) % folds
    return np.array([fold_of[product] for product in products], dtype=np.intp)


def hold_out(
    categories: Sequence[str], products: Sequence[str], share: float, seed: int
) -> NDArray[np.bool_]:
    """Which rows are set aside: about ``share`` of each category's products, at most a third.

    The share is smaller where it would be over 150 photos.

    Returns:
        bool [N].
    """
    share = min(share, _ENOUGH / len(products))
    aside: set[str] = set()
    # Rounding alone would leave all small categories out; the fraction is carried on instead.
    carried = 0.5
    for names in _shuffled_products(categories, products, seed):
        carried += share * len(names)
        count = min(int(carried), len(names) // 3)
        carried -= int(carried)
        aside.update(names[:count])
    return np.array([product in aside for product in products], dtype=np.bool_)


def _shuffled_products(
    categories: Sequence[str], products: Sequence[str], seed: int
) -> list[list[str]]:
    """Each category's product ids in random order; categories sorted by path."""
    rng = np.random.default_rng(seed)
    of_category: dict[str, set[str]] = {}
    for category, product in zip(categories, products, strict=True):
        of_category.setdefault(category, set()).add(product)
    ordered = [sorted(of_category[category]) for category in sorted(of_category)]
    return [[names[index] for index in rng.permutation(len(names))] for names in ordered]
