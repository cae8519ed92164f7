"""Stratified splits that keep all photos of one group on one side."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# So many photos tell a temperature and a decline; more of them are better trained on.
_ENOUGH = 150

_Group = TypeVar("_Group", bound=Hashable)


def assign_folds(
    categories: Sequence[str], groups: Sequence[_Group], folds: int, seed: int
) -> NDArray[np.intp]:
    """The fold of each row: a group's rows share one, a category's rows spread evenly.

    Args:
        categories: category path per row.
        groups: group per row, as `train.near_duplicates` finds them; a group has one category.
        folds: how many.
        seed: of the shuffle.

    Returns:
        intp [N], 0 to folds - 1.
    """
    photos = Counter(groups)
    fold_of: dict[_Group, int] = {}
    filled = [0] * folds
    for members in _shuffled_groups(categories, groups, seed):
        own = [0] * folds
        # The largest first, each where the category has the fewest photos, then where all have.
        for group in sorted(members, key=lambda group: -photos[group]):
            fold = min(range(folds), key=lambda fold: (own[fold], filled[fold]))
            fold_of[group] = fold
            own[fold] += photos[group]
            filled[fold] += photos[group]
    return np.array([fold_of[group] for group in groups], dtype=np.intp)


def hold_out(
    categories: Sequence[str], groups: Sequence[_Group], share: float, seed: int
) -> NDArray[np.bool_]:
    """Which rows are set aside: about ``share`` of each category's, at most a third of its groups.

    The share is smaller where it would be over 150 rows. No group is set aside that has over a
    third of its category's rows.

    Returns:
        bool [N].
    """
    share = min(share, _ENOUGH / len(groups))
    photos = Counter(groups)
    aside: set[_Group] = set()
    # Rounding alone would leave all small categories out; the fraction is carried on instead,
    # and what a large group had too many.
    carried = 0.5
    for members in _shuffled_groups(categories, groups, seed):
        total = sum(photos[group] for group in members)
        carried += share * total
        for group in members[: len(members) // 3]:
            if carried >= 1 and 3 * photos[group] <= total:
                aside.add(group)
                carried -= photos[group]
        carried -= max(0, int(carried))
    return np.array([group in aside for group in groups], dtype=np.bool_)


def _shuffled_groups(
    categories: Sequence[str], groups: Sequence[_Group], seed: int
) -> list[list[_Group]]:
    """Each category's groups in random order; categories sorted by path."""
    rng = np.random.default_rng(seed)
    of_category: dict[str, dict[_Group, None]] = {}
    for category, group in zip(categories, groups, strict=True):
        of_category.setdefault(category, {})[group] = None
    ordered = [list(of_category[category]) for category in sorted(of_category)]
    return [[members[index] for index in rng.permutation(len(members))] for members in ordered]
