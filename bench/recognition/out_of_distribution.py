"""Photos of nothing the model knows: dance and fashion, shown to the grocery model."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bench.figures import Figures, bootstrap_interval
from bench.recognition.dance import dance_rows
from bench.recognition.shops import learnt
from bench.shops import FASHION, GROCERY, require
from catalog.familiarity import familiarity
from catalog.manifest import Row
from inference.bundle import Bundle
from inference.photos import SeenRow, see_rows
from inference.session import Session

_DRAWS: Final = 500


def measure_out_of_distribution(figures: Figures, work: Path) -> None:
    """Add `ood_auroc_dance` and `ood_auroc_fashion`, their lower one as `ood_auroc`.

    By familiarity, the cosine to the nearest prototype: grocery's `val` photos against all of dance
    and fashion's `val`. And at the bundle's thresholds: the share of each that is `unknown`.

    Args:
        figures: to add to.
        work: where grocery's run and bundle are kept.
    """
    bundle, _ = learnt(GROCERY, work)
    known, known_unsure = _seen(bundle, require(GROCERY).rows("val").rows)
    figures.add("ood_unknown_grocery", known_unsure.mean())
    for name, rows in (("dance", dance_rows()), ("fashion", require(FASHION).rows("val").rows)):
        foreign, unsure = _seen(bundle, rows)
        labelled = np.concatenate(
            [
                np.stack([known, np.ones(len(known))], axis=1),
                np.stack([foreign, np.zeros(len(foreign))], axis=1),
            ]
        )
        interval = bootstrap_interval(_auroc, labelled, _DRAWS)
        figures.add(f"ood_auroc_{name}", _auroc(labelled), interval)
        figures.add(f"ood_unknown_{name}", unsure.mean())
    lower = min(("dance", "fashion"), key=lambda name: figures.values[f"ood_auroc_{name}"])
    key = f"ood_auroc_{lower}"
    figures.add("ood_auroc", figures.values[key], figures.intervals[key])


def _auroc(labelled: NDArray[np.float64]) -> float:
    return float(roc_auc_score(labelled[:, 1], labelled[:, 0]))


def _seen(bundle: Bundle, rows: tuple[Row, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Familiarity of each photo, and whether it is answered with `unknown`."""
    prototypes, thresholds = bundle.prototypes, bundle.document.thresholds
    assert prototypes is not None
    assert thresholds.unfamiliar is not None
    seen = [one for one in see_rows(Session(bundle), rows) if isinstance(one, SeenRow)]
    embeddings = np.stack([one.embedding for one in seen if one.embedding is not None])
    likeliest = np.array([one.probabilities.max() for one in seen if one.probabilities is not None])
    near = familiarity(embeddings, prototypes)
    return near, (likeliest < thresholds.unknown) | (near < thresholds.unfamiliar)
