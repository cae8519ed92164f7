"""How far the probabilities can be trusted, and how many answers need no person."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.figures import Figures, bootstrap_interval
from bench.steps import Judged
from catalog.metrics import automatic_share, expected_calibration_error

_RESULTS: Final = Path(__file__).parents[1] / "results"
_ANSWERS: Final = _RESULTS / "answers.json"
_PICTURE: Final = _RESULTS / "reliability.png"
_PRECISIONS: Final = (0.95, 0.98)
_BINS: Final = 15

# float64 [N, 2]: confidence of the first guess, and 1 where it is right.
_Pairs = NDArray[np.float64]


def keep_answers(name: str, judged: Judged) -> None:
    """Keep how sure each answer was, and whether it was right, for `measure_calibration`."""
    kept = json.loads(_ANSWERS.read_text(encoding="utf-8")) if _ANSWERS.exists() else {}
    confidence = judged.probabilities.max(axis=1)
    kept[name] = [
        [round(float(share), 5), int(right)]
        for share, right in zip(confidence, judged.right, strict=True)
    ]
    _ANSWERS.write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


def measure_calibration(figures: Figures, work: Path) -> None:
    """Add `ece` over all photos pooled and of each shop, and the shares answered automatically.

    From the answers that grocery, fashion and dance (its first seed) left when they were measured
    last. The reliability diagram is drawn from them too.

    Args:
        figures: to add to.
        work: not used.
    """
    kept = json.loads(_ANSWERS.read_text(encoding="utf-8"))
    answers = {name: np.array(pairs) for name, pairs in kept.items()}
    for name, pairs in answers.items():
        figures.add(f"ece_{name}", _error(pairs), bootstrap_interval(_error, pairs))
    pooled = np.concatenate(list(answers.values()))
    figures.add("ece", _error(pooled), bootstrap_interval(_error, pooled))
    for name, pairs in answers.items():
        for precision in _PRECISIONS:
            figures.add(
                f"auto_share_at_{precision * 100:.0f}_{name}",
                _automatic(pairs, precision),
                bootstrap_interval(lambda rows, p=precision: _automatic(rows, p), pairs),
            )
    _draw(answers)


def _automatic(pairs: _Pairs, precision: float) -> float:
    return automatic_share(pairs[:, 0], pairs[:, 1] > 0, precision)


def _error(pairs: _Pairs) -> float:
    return expected_calibration_error(pairs[:, 0].astype(np.float32), pairs[:, 1] > 0, _BINS)


def _draw(answers: Mapping[str, _Pairs]) -> None:
    """Reliability diagram: how often answers of a confidence are right."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999", linestyle="--", label="perfectly calibrated")
    for name, pairs in answers.items():
        bins = np.array_split(pairs[np.argsort(pairs[:, 0], kind="stable")], _BINS)
        axes.plot(
            [part[:, 0].mean() for part in bins],
            [part[:, 1].mean() for part in bins],
            marker="o",
            markersize=4,
            label=f"{name}, {len(pairs):,} photos",
        )
    axes.set(xlabel="confidence of the first guess", ylabel="share of them that is right")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(_PICTURE, dpi=110)
