"""Pictures that commands draw into a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def draw_precision_recall(
    file: Path, fitted: Sequence[tuple[float, float, float]], found: NDArray[np.float64]
) -> None:
    """Precision against recall.

    Args:
        file: .svg, .png or .pdf.
        fitted: threshold, precision and recall as the match model keeps them; may be empty.
        found: float64 [P, 2], recall and precision of the pairs that were judged.
    """
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    if fitted:
        _, precision, recall = zip(*fitted, strict=True)
        axes.plot(recall, precision, color="0.6", label="pairs it was fitted to, out of fold")
    axes.plot(found[:, 0], found[:, 1], color="tab:blue", label="pairs judged")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower left", frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
