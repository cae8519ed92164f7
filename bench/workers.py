"""Does the number of workers change the result? Short finetunes, three seeds each.

On every third training photo of grocery, judged on all of its val photos.

Prints the mean top-1 of one and of two workers, and their difference in standard errors.
"""

import csv
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from bench.figures import Figures
from bench.shops import GROCERY, Shop, require
from bench.steps import judge, learn
from train.backbones import SMALLEST
from train.run import read_run

_SEEDS = (0, 1, 2)
_EPOCHS = "1"


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write."""
    figures = Figures()
    require(GROCERY)
    top1: dict[int, list[float]] = {1: [], 2: []}
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        shop = _third_of_grocery(Path(folder))
        for seed in _SEEDS:
            for workers, found in top1.items():
                label = f"workers{workers}-seed{seed}"
                flags = (
                    "--recipe", "finetune", "--backbone", SMALLEST,
                    "--epochs", _EPOCHS, "--seed", str(seed),
                )  # fmt: skip
                bundle, minutes = learn(
                    shop, Path(folder), label, *flags, "--workers", str(workers)
                )
                found.append(float(judge(bundle, shop).right.mean()))
                figures.add(f"{label}_train_minutes", minutes["train"])
                epochs = read_run(Path(folder) / f"{label}-run").document.epochs
                shares = [one["photos_per_rank"] for one in epochs if one["phase"] == "finetune"]
                figures.add(f"{label}_fewest_photos_of_a_rank", min(map(min, shares)))
                figures.add(f"{label}_most_photos_of_a_rank", max(map(max, shares)))
    for workers, found in top1.items():
        figures.add(f"workers{workers}_top1", np.mean(found), (min(found), max(found)))
    # The spread over seeds of both settings together, as the error of a difference of means.
    spread = np.sqrt(sum(np.var(found, ddof=1) / len(found) for found in top1.values()))
    difference = np.mean(top1[2]) - np.mean(top1[1])
    figures.add("workers_difference", difference)
    figures.add("workers_difference_standard_error", spread)
    figures.show("Two workers against one (a third of grocery, val)")
    if json_file:
        figures.write(json_file)


def _third_of_grocery(work: Path) -> Shop:
    manifest = work / "third-of-grocery.csv"
    rows = (*GROCERY.rows("train").rows[::3], *GROCERY.rows("val").rows)
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "category", "split"))
        writer.writerows((row.image, row.category, row.split) for row in rows)
    return Shop("third-of-grocery", manifest)
