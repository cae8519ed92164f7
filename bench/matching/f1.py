"""F1 of a score of pairs, at the threshold that is best on those learnt from."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_curve

from bench.figures import Figures, Interval, bootstrap_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def add_f1(
    figures: Figures, key: str, learn: Bools, learnt: Floats, judge: Bools, judged: Floats
) -> None:
    """Add a figure with its interval.

    Args:
        figures: to add to.
        key: of the figure.
        learn, judge: bool [N], [M], which pairs are one product.
        learnt, judged: float64 [N], [M], their scores.
    """
    precision, recall, thresholds = precision_recall_curve(learn, learnt)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    said = judged >= thresholds[f1[:-1].argmax()]
    figures.add(key, float(f1_score(judge, said)), f1_interval(judge, said))


def f1_interval(same: Bools, said: Bools) -> Interval:
    """95%, by bootstrap over the pairs."""
    return bootstrap_interval(
        lambda drawn: float(f1_score(drawn[:, 0], drawn[:, 1])), np.column_stack([same, said]), 500
    )
