"""The report's tables: figures per category and the pairs taken for each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.metrics import f1_scores
from train.run import HeldOut

_PAIRS = 15


def class_table(held_out: HeldOut, guesses: NDArray[Any]) -> list[dict[str, Any]]:
    """Photos, precision, recall and F1 of each category, the weakest first."""
    truth = np.array(held_out.truth)
    rows = []
    for path, (score, support) in f1_scores(held_out.truth, list(guesses)).items():
        right = int(((truth == path) & (guesses == path)).sum())
        claimed = int((guesses == path).sum())
        rows.append(
            {
                "path": path,
                "photos": support,
                "precision": right / claimed if claimed else None,
                "recall": right / support,
                "f1": score,
            }
        )
    return sorted(rows, key=lambda row: row["f1"])


def confused_pairs(held_out: HeldOut, guesses: NDArray[Any]) -> list[tuple[str, str, int]]:
    """True category, the one it was taken for, and how often; the most frequent first."""
    wrong = [
        (actual, str(guess))
        for actual, guess in zip(held_out.truth, guesses, strict=True)
        if actual != guess
    ]
    pairs, counts = np.unique(np.array(wrong).reshape(-1, 2), axis=0, return_counts=True)
    order = np.argsort(-counts)[:_PAIRS]
    return [(str(pairs[i][0]), str(pairs[i][1]), int(counts[i])) for i in order]
