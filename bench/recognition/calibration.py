"""How far the probabilities can be trusted, and how many answers need no person."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.figures import Figures, bootstrap_interval
from bench.steps import Judged
from catalog.metrics import automatic_share, expected_calibration_error

_PRECISIONS: Final = (0.95, 0.98)
_BINS: Final = 15


def measure_calibration(figures: Figures, judged: Mapping[str, Judged], picture: Path) -> None:
    """Add `ece` over all photos pooled and of each shop, and the shares answered automatically.

    Args:
        figures: to add to.
        judged: out-of-sample answers by shop.
        picture: where to draw the reliability diagram.
    """
    for name, one in judged.items():
        _add_ece(figures, f"ece_{name}", _confidence(one), one.right)
    confidence = np.concatenate([_confidence(one) for one in judged.values()])
    right = np.concatenate([one.right for one in judged.values()])
    _add_ece(figures, "ece", confidence, right)
    for name, one in judged.items():
        for precision in _PRECISIONS:
            key = f"auto_share_at_{precision * 100:.0f}_{name}"
            pairs = np.stack([_confidence(one), one.right], axis=1)
            figures.add(
                key,
                _auto_share(pairs, precision),
                bootstrap_interval(lambda rows, p=precision: _auto_share(rows, p), pairs),
            )
    _draw(judged, picture)


def _auto_share(pairs: NDArray[np.float64], precision: float) -> float:
    return automatic_share(pairs[:, 0], pairs[:, 1] > 0, precision)


def _confidence(one: Judged) -> NDArray[np.float32]:
    return one.probabilities.max(axis=1)


def _add_ece(
    figures: Figures, key: str, confidence: NDArray[np.float32], right: NDArray[np.bool_]
) -> None:
    def error(pairs: NDArray[np.float64]) -> float:
        return expected_calibration_error(pairs[:, 0].astype(np.float32), pairs[:, 1] > 0, _BINS)

    pairs = np.stack([confidence, right], axis=1)
    figures.add(key, error(pairs), bootstrap_interval(error, pairs))


def _draw(judged: Mapping[str, Judged], picture: Path) -> None:
    """Reliability diagram: how often answers of a confidence are right."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999", linestyle="--", label="perfectly calibrated")
    for name, one in judged.items():
        confidence = _confidence(one)
        order = np.argsort(confidence, kind="stable")
        bins = np.array_split(order, _BINS)
        axes.plot(
            [confidence[rows].mean() for rows in bins],
            [one.right[rows].mean() for rows in bins],
            marker="o",
            markersize=4,
            label=f"{name}, {len(order):,} photos",
        )
    axes.set(xlabel="confidence of the first guess", ylabel="share of them that is right")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)
