"""Temperature and thresholds, from photos the model was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from catalog.precision import TARGET_PRECISION
from catalog.tree import CategoryTree

_KNOWN_SHARE = 0.99
_MOST_CERTAIN = 0.99


@dataclass(frozen=True)
class Calibration:
    """What an export writes into the bundle; a run's report shows the same.

    Attributes:
        temperature: logits are divided by it (Guo et al. 2017, arXiv:1706.04599).
        certainty: probability of a class from which on answers to held-out photos are right at
            least 95% of the time.
        unknown: 1% of held-out photos have a likeliest class below it.
        unfamiliar: 1% of held-out photos are less familiar; None without prototypes.
    """

    temperature: float
    certainty: float
    unknown: float
    unfamiliar: float | None


def calibrate(
    tree: CategoryTree,
    logits: NDArray[np.float32],
    truth: tuple[str, ...],
    familiarity: NDArray[np.float32] | None = None,
) -> Calibration:
    """Fit on photos out of sample.

    Args:
        tree: of the classes.
        logits: float32 [N, classes].
        truth: their category paths.
        familiarity: float32 [N], cosine to the nearest prototype, if there are any.
    """
    temperature = fit_temperature(tree.classes, logits, truth)
    probabilities = softmax(logits / temperature, axis=1).astype(np.float32)
    unknown = float(np.quantile(probabilities.max(axis=1), 1 - _KNOWN_SHARE))
    unfamiliar = None
    if familiarity is not None:
        unfamiliar = float(np.clip(np.quantile(familiarity, 1 - _KNOWN_SHARE), -1, 1))
    certainty = _certainty(tree, probabilities, truth)
    return Calibration(temperature, certainty, unknown, unfamiliar)


def fit_temperature(
    classes: Sequence[str], logits: NDArray[np.float32], truth: Sequence[str]
) -> float:
    """What the logits are divided by, so that the truth is likeliest (Guo et al. 2017).

    Args:
        classes: category paths in the order of the logits.
        logits: float32 [N, classes], out of sample.
        truth: N category paths.
    """
    index = {path: number for number, path in enumerate(classes)}
    return best_temperature(logits, np.array([index[path] for path in truth]))


def best_temperature(logits: NDArray[np.float32], targets: NDArray[np.intp]) -> float:
    """`fit_temperature` of logits float32 [N, classes] whose true columns are ``targets``."""
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, targets].mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def _certainty(
    tree: CategoryTree, probabilities: NDArray[np.float32], truth: tuple[str, ...]
) -> float:
    """The lowest threshold at which answers that are classes keep the target precision.

    Answers higher up in the tree do not count: they are given to a person, and are right more
    often. One more is counted as wrong, so that few photos promise little (as in conformal risk
    control, Angelopoulos et al. 2022, arXiv:2208.02814).
    """
    confidence = probabilities.max(axis=1)
    right = np.asarray(tree.classes)[probabilities.argmax(axis=1)] == np.asarray(truth)
    for threshold in np.arange(50, 100) / 100:
        answered = confidence >= threshold
        if right[answered].sum() >= TARGET_PRECISION * (answered.sum() + 1):
            return float(threshold)
    return _MOST_CERTAIN
