from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from train.split import assign_folds, hold_out

# A shop: per category, how many photos each of its groups has.
SHOPS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), min_size=1, max_size=8)


def _rows(shop: list[list[int]]) -> tuple[list[str], list[str]]:
    rows = [
        (f"c{category}", f"c{category}-g{group}")
        for category, groups in enumerate(shop)
        for group, photos in enumerate(groups)
        for _ in range(photos)
    ]
    return [category for category, _ in rows], [group for _, group in rows]


@settings(max_examples=60, deadline=None)
@given(SHOPS, st.integers(0, 3))
def test_a_group_is_never_on_both_sides(shop: list[list[int]], seed: int) -> None:
    categories, groups = _rows(shop)
    aside = hold_out(categories, groups, 0.2, seed)
    folds = assign_folds(categories, groups, 5, seed)
    for group in set(groups):
        rows = [row for row, name in enumerate(groups) if name == group]
        assert len(set(aside[rows])) == 1
        assert len(set(folds[rows])) == 1


@settings(max_examples=60, deadline=None)
@given(SHOPS)
def test_every_category_keeps_photos_to_train_on(shop: list[list[int]]) -> None:
    categories, groups = _rows(shop)
    aside = hold_out(categories, groups, 0.3, 0)
    kept = {category for category, out in zip(categories, aside, strict=True) if not out}
    assert kept == set(categories)


def test_folds_are_even_over_a_category() -> None:
    categories, groups = _rows([[1] * 20, [1] * 10])
    folds = assign_folds(categories, groups, 5, seed=1)
    assert Counter(folds[:20].tolist()) == dict.fromkeys(range(5), 4)
    assert Counter(folds[20:].tolist()) == dict.fromkeys(range(5), 2)


def test_folds_are_even_where_groups_are_of_different_sizes() -> None:
    categories, groups = _rows([[10, 5, 5, 5, 5, 5, 5]])
    assert (
        sorted(Counter(assign_folds(categories, groups, 4, seed=0).tolist()).values()) == [10] * 4
    )


def test_a_group_of_over_a_third_of_its_category_is_never_set_aside() -> None:
    categories, groups = _rows([[30, *[1] * 30]] * 5)
    for seed in range(5):
        aside = hold_out(categories, groups, 0.3, seed)
        assert aside.any()
        assert not any(
            out and group.endswith("-g0") for out, group in zip(aside, groups, strict=True)
        )


def test_the_share_set_aside_is_about_what_was_asked() -> None:
    categories, groups = _rows([[1] * 40] * 8)
    assert 0.09 <= hold_out(categories, groups, 0.1, 0).mean() <= 0.11


def test_no_more_photos_are_set_aside_than_calibration_needs() -> None:
    categories, groups = _rows([[1] * 500] * 8)
    assert 140 <= hold_out(categories, groups, 0.1, 0).sum() <= 160


def test_the_same_seed_splits_the_same_way() -> None:
    categories, groups = _rows([[2] * 9] * 3)
    same = [hold_out(categories, groups, 0.2, 7) for _ in range(2)]
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], hold_out(categories, groups, 0.2, 8))
