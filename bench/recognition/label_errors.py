"""Wrong labels, planted in fashion's training photos: how many are found."""

import csv
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures, share_interval
from bench.shops import FASHION, require
from bench.steps import learn_run

_WRONG: Final = 0.03


def measure_label_errors(figures: Figures, work: Path) -> None:
    """Add `label_errors_found`, and `label_errors_worst_right` of the most doubtful labels.

    The first is the share of the planted ones among all doubtful labels; the second the share of
    planted ones among the most doubtful, as many as were planted. Labels that were wrong from the
    beginning count against it.

    Args:
        figures: to add to.
        work: where manifest and run are kept.
    """
    manifest = work / "fashion-mislabelled.csv"
    planted = _write(manifest)
    run = learn_run(manifest, work / "mislabelled-run", "--recipe", "probe")
    doubtful = [issue.image for issue in run.data_issues() if issue.kind == "label"]
    found = np.array([image in set(doubtful) for image in planted])
    worst = np.array([image in planted for image in doubtful[: len(planted)]])
    figures.add("label_errors_planted", len(planted))
    figures.add("label_errors_doubted", len(doubtful))
    figures.add("label_errors_found", found.mean(), share_interval(found))
    figures.add("label_errors_worst_right", worst.mean(), share_interval(worst))


def _write(manifest: Path) -> set[str]:
    """Fashion's training rows, some with another category; the images of those."""
    shop = require(FASHION)
    rows = shop.rows("train").rows
    rng = np.random.default_rng(0)
    wrong = set(rng.permutation(len(rows))[: round(_WRONG * len(rows))].tolist())
    categories = sorted({row.category or "" for row in rows})
    planted = set()
    with manifest.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "category", "id"))
        for number, row in enumerate(rows):
            label = row.category or ""
            if number in wrong:
                label = str(rng.choice([path for path in categories if path != label]))
                planted.add(row.image or "")
            table.writerow((row.image, label, number))
    return planted
