"""How good ranked categories are: top-k, F1, calibration, accuracy by depth of the tree."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.tree import CategoryTree, prefix


def top_k(probabilities: NDArray[np.float32], truth: NDArray[np.intp], k: int) -> float:
    """Share of rows whose true class is among the k likeliest; truth -1 is never among them."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(axis=1).mean())


def f1_scores(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, tuple[float, int]]:
    """F1 and support of each class that occurs in the truth."""
    scores = {}
    actual, guess = np.asarray(truth), np.asarray(predicted)
    for name in sorted(set(truth)):
        hits = int(((actual == name) & (guess == name)).sum())
        support, claimed = int((actual == name).sum()), int((guess == name).sum())
        scores[name] = (2 * hits / (support + claimed), support)
    return scores


def expected_calibration_error(
    confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int = 15
) -> float:
    """Top-label ECE over equal-mass bins (Nixon et al. 2019, arXiv:1904.01685).

    Args:
        confidence: float32 [N], probability of the predicted class.
        correct: bool [N].
        bins: number of bins, each with (nearly) the same number of rows.
    """
    order = np.argsort(confidence, kind="stable")
    gaps = [
        len(part) * abs(float(confidence[part].mean()) - float(correct[part].mean()))
        for part in np.array_split(order, min(bins, len(order)))
    ]
    return sum(gaps) / len(order)


def automatic_share(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], precision: float
) -> float:
    """The largest share of rows, most confident first, that is right at least so often.

    Args:
        confidence: float [N].
        correct: bool [N].
        precision: wanted among the rows of that share.
    """
    _, so_far = surest_first(confidence, correct)
    enough = np.flatnonzero(so_far >= precision)
    return float((enough[-1] + 1) / len(so_far)) if len(enough) else 0.0


def surest_first(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.float64]]:
    """Confidence, falling, float [N], and float64 [N], how often it was right down to there."""
    order = np.argsort(-confidence, kind="stable")
    return confidence[order], np.cumsum(correct[order]) / np.arange(1, len(order) + 1)


def average_precisions(
    names: Sequence[str], scores: NDArray[np.float32], truth: NDArray[np.bool_]
) -> dict[str, float]:
    """Average precision of each label that some row has; labels are independent of each other.

    Args:
        names: T labels.
        scores: float32 [N, T].
        truth: bool [N, T].
    """
    found = {}
    for number, name in enumerate(names):
        right = truth[np.argsort(-scores[:, number], kind="stable"), number]
        if right.any():
            precision = np.cumsum(right) / np.arange(1, len(right) + 1)
            found[name] = float(precision[right].mean())
    return found


def classification_report(
    tree: CategoryTree, probabilities: NDArray[np.float32], truth: Sequence[str]
) -> dict[str, object]:
    """The figures `catalens evaluate --json` writes, as fractions.

    Args:
        tree: the model's tree.
        probabilities: float32 [N, classes].
        truth: N category paths; one that is no class of the model counts as a mistake.

    Returns:
        ``top1``, ``top5``, ``macro_f1`` (over classes that occur), ``weighted_f1``, ``ece`` and
        ``depth`` (accuracy of the likeliest d-long prefix).
    """
    index = {path: number for number, path in enumerate(tree.classes)}
    target = np.array([index.get(path, -1) for path in truth], dtype=np.intp)
    best = probabilities.argmax(axis=1)
    f1 = f1_scores(truth, [tree.classes[number] for number in best])
    total = sum(support for _, support in f1.values())
    rolled = tree.roll_up(probabilities)
    deepest = max(tree.depth, max(path.count("/") + 1 for path in truth))
    depth = {
        str(d): float(
            np.mean(
                [
                    guess == prefix(path, d)
                    for guess, path in zip(
                        tree.best_at(rolled, min(d, tree.depth)), truth, strict=True
                    )
                ]
            )
        )
        for d in range(1, deepest + 1)
    }
    return {
        "top1": float((best == target).mean()),
        "top5": top_k(probabilities, target, 5),
        "macro_f1": float(np.mean([score for score, _ in f1.values()])),
        "weighted_f1": sum(score * support for score, support in f1.values()) / total,
        "ece": expected_calibration_error(probabilities.max(axis=1), best == target),
        "depth": depth,
    }
