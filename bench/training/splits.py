"""What every trainer gets: photos to learn from, photos to answer, and how long."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.folds import grouped_folds
from bench.recognition.dance import dance_rows
from bench.shops import Shop
from catalog.manifest import Row

_SHOP_S: Final = 600
_DANCE_S: Final = 90
_FOLDS: Final = 5


@dataclass(frozen=True)
class Split:
    """One training.

    Attributes:
        name: of its files.
        train: table of image and category.
        test: the same of the photos to answer.
        truth: category of each of those.
        seconds: that the training may take.
    """

    name: str
    train: Path
    test: Path
    truth: list[str]
    seconds: int


def shop_splits(shop: Shop, directory: Path) -> list[Split]:
    """A shop's own: `train`, and `val` to answer."""
    train, test = (shop.rows(split).rows for split in ("train", "val"))
    return [_split(shop.name, train, test, directory, _SHOP_S)]


def dance_splits(directory: Path) -> list[Split]:
    """Dance in five folds, near-duplicates in one."""
    rows = dance_rows()
    (folds,) = grouped_folds(rows, _FOLDS, seeds=[0])
    return [
        _split(
            f"dance{fold}",
            [rows[row] for row in np.flatnonzero(folds != fold)],
            [rows[row] for row in np.flatnonzero(folds == fold)],
            directory,
            _DANCE_S,
        )
        for fold in range(_FOLDS)
    ]


def _split(
    name: str, train: Iterable[Row], test: Iterable[Row], directory: Path, seconds: int
) -> Split:
    tables = [directory / f"{name}-{part}.csv" for part in ("train", "test")]
    parts = [[(row.image or "", row.category or "") for row in rows] for rows in (train, test)]
    for table, rows in zip(tables, parts, strict=True):
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows((("image", "category"), *rows))
    return Split(name, *tables, [category for _, category in parts[1]], seconds)
