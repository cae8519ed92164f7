"""Photos per second of a job beside the in-process ceiling, in rounds that take turns."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures, bootstrap_interval
from bench.serving.contestants import measured_ceiling
from bench.shops import FASHION, require
from bench.steps import learn
from catalog.manifest import Row
from inference.bundle import Bundle

PRODUCTS: Final = 20_000
_CEILING_SECONDS: Final = 8.0
_CEILING_PHOTOS: Final = 512


def probe_bundle(work: Path) -> Bundle:
    """A bundle of the smallest backbone, learnt from fashion."""
    bundle, _ = learn(require(FASHION), work, "probe_fashion", "--recipe", "probe")
    return bundle


def large_manifest(work: Path) -> Path:
    """A row for each of 20,000 products; fashion's photos, over and over."""
    path, rows = work / "large.csv", _rows()
    with path.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("id", "image", "category"))
        for number in range(PRODUCTS):
            row = rows[number % len(rows)]
            table.writerow((f"p{number:05d}", row.image, row.category))
    return path


def _rows() -> list[Row]:
    return [*FASHION.rows("train").rows, *FASHION.rows("val").rows]


def measure_rate(
    figures: Figures, key: str, bundle: Bundle, job: Callable[[int], float], rounds: int
) -> None:
    """Add ``key``_of_ceiling, and both rates.

    Args:
        figures: to add to.
        key: of the figures.
        bundle: whose fp32 graph the job runs.
        job: does the job and returns its photos per second; given the number of the round.
        rounds: of job and ceiling in turn.
    """
    files = [row.image or "" for row in _rows()[:_CEILING_PHOTOS]]
    ours: list[float] = []
    ceilings: dict[str, list[float]] = {}
    for number in range(rounds):
        found = measured_ceiling(bundle.directory, "fp32", "cpu", _CEILING_SECONDS, files)
        for layout, rate in found.items():
            ceilings.setdefault(layout, []).append(rate)
        ours.append(job(number))
    # The layout that is best over all rounds: the best of each round would be so by luck, too.
    ceiling = np.array(max(ceilings.values(), key=np.median))
    ratios = np.array(ours) / ceiling
    interval = None
    if rounds > 1:
        interval = bootstrap_interval(lambda drawn: float(np.median(drawn)), ratios)
    figures.add(f"{key}_of_ceiling", float(np.median(ratios)), interval)
    figures.add(f"{key}_photos_per_second", float(np.median(ours)))
    figures.add(f"{key}_ceiling_photos_per_second", float(np.median(ceiling)))
