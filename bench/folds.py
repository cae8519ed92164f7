"""Splits of labelled rows that keep photos which look alike on one side."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.runs import pretrained_features
from catalog.manifest import Row
from train.near_duplicates import ALIKE, group_photos
from train.split import assign_folds

_SOMEWHAT_ALIKE = 0.7


def grouped_folds(
    rows: Sequence[Row], count: int, seeds: Sequence[int], least: float = ALIKE
) -> list[NDArray[np.intp]]:
    """For each seed the fold of every row, intp [N]; photos at least so alike share one."""
    categories = [row.category or "" for row in rows]
    ids = [row.id for row in rows]
    groups = group_photos(pretrained_features(rows), categories, ids, least).tolist()
    return [assign_folds(categories, groups, count, seed) for seed in seeds]


def hard_half(rows: Sequence[Row]) -> NDArray[np.bool_]:
    """Half of a shop, bool [N], to be judged by the other: photos somewhat alike are on one side.

    On grocery that is about as hard as another visit to the shop: a nearest neighbour has 0.49
    right, on its own `val` 0.58.
    """
    (folds,) = grouped_folds(rows, 2, seeds=[0], least=_SOMEWHAT_ALIKE)
    half: NDArray[np.bool_] = folds == 0
    return half


def write_split(manifest: Path, rows: Sequence[Row], aside: NDArray[np.bool_]) -> None:
    """A manifest whose rows are `val` where they are set aside, else `train`."""
    with manifest.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "category", "split"))
        table.writerows(
            (row.image, row.category, "val" if out else "train")
            for row, out in zip(rows, aside, strict=True)
        )
