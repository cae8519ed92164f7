"""Dance: 273 photos in 8 classes, five folds, three seeds; weighted F1."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figures, statistic_interval
from bench.folds import grouped_folds, write_split
from bench.recognition.calibration import keep_answers
from bench.runs import predict_run
from bench.shops import DANCE, require
from bench.steps import judged, learn_run
from catalog.manifest import ManifestConfig, Row, read_manifest
from catalog.metrics import f1_scores
from catalog.tree import CategoryTree

_FOLDS: Final = 5
_SEEDS: Final = (0, 1, 2)
_BUDGET: Final = "2m30s"


def measure_dance(figures: Figures, work: Path) -> None:
    """Add `dance_f1`: the mean over the seeds, each from the answers of its five folds together.

    Near-duplicates are in one fold.

    Args:
        figures: to add to.
        work: where runs are kept.
    """
    rows = dance_rows()
    categories = [row.category or "" for row in rows]
    tree = CategoryTree(sorted(set(categories)))
    found = []
    for seed, folds in zip(_SEEDS, grouped_folds(rows, _FOLDS, _SEEDS), strict=True):
        found.append(judged(tree, _out_of_fold(rows, folds, tree, seed, work), categories))
    guesses = [[tree.classes[best] for best in one.probabilities.argmax(axis=1)] for one in found]
    scores = [weighted_f1(categories, one) for one in guesses]
    intervals = np.array([statistic_interval(weighted_f1, categories, one) for one in guesses])
    low, high = intervals.mean(axis=0)
    figures.add("dance_f1", float(np.mean(scores)), (float(low), float(high)))
    figures.add("dance_f1_lowest_seed", min(scores))
    figures.add("dance_f1_highest_seed", max(scores))
    keep_answers(DANCE.name, found[0])


def dance_rows() -> tuple[Row, ...]:
    """The labelled photos, in the order of their table."""
    config = ManifestConfig(
        image_column="Image",
        category_column="target",
        image_root=str(DANCE.manifest.parent / "train"),
    )
    return read_manifest(str(require(DANCE).manifest), config).rows


def weighted_f1(truth: list[str], guesses: list[str]) -> float:
    """Mean F1 over classes, each by its share of the photos."""
    scores = f1_scores(truth, guesses).values()
    return sum(score * support for score, support in scores) / len(truth)


def _out_of_fold(
    rows: tuple[Row, ...], folds: NDArray[np.intp], tree: CategoryTree, seed: int, work: Path
) -> NDArray[np.float32]:
    """Each photo's probabilities by the model of the fold that it was left out of."""
    probabilities = np.zeros((len(rows), len(tree.classes)), np.float32)
    for fold in range(_FOLDS):
        aside = folds == fold
        place = work / f"dance-seed{seed}-fold{fold}"
        manifest = place.with_suffix(".csv")
        write_split(manifest, rows, aside)
        run = learn_run(manifest, place, "--budget", _BUDGET, "--seed", str(seed))
        left_out = [row for row, out in zip(rows, aside, strict=True) if out]
        probabilities[aside] = predict_run(run, left_out)
    return probabilities
