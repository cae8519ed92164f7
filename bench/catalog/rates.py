"""Photos per second of a job beside the in-process ceiling, in rounds that take turns."""

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures, bootstrap_interval
from bench.serving.contestants import measured_ceiling
from bench.shops import FASHION, require
from bench.steps import learn
from catalog.manifest import Row
from catalog.store import Catalog
from inference.bundle import Bundle

PRODUCTS: Final = 20_000
_CEILING_SECONDS: Final = 8.0
_CEILING_PHOTOS: Final = 512


def probe_bundle(work: Path) -> Bundle:
    """A bundle of the smallest backbone, learnt from fashion."""
    bundle, _ = learn(require(FASHION), work, "probe_fashion", "--recipe", "probe")
    return bundle


def empty_catalog(bundle: Bundle, place: Path) -> Path:
    """A catalog for the bundle's embeddings, without products."""
    document = bundle.document
    Catalog.create(str(place), document.embedding_id, document.embedding_dimension)
    return place


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


def measure_rates(
    figures: Figures, bundle: Bundle, job: Callable[[], Mapping[str, float]], rounds: int
) -> None:
    """Add ``..._of_ceiling`` of each rate, and the rates.

    Args:
        figures: to add to.
        bundle: whose fp32 graph the job runs.
        job: does the job and returns photos per second, by the key of the figures.
        rounds: of job and ceiling in turn.
    """
    files = [row.image or "" for row in _rows()[:_CEILING_PHOTOS]]
    ours: dict[str, list[float]] = defaultdict(list)
    ceilings: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        found = measured_ceiling(bundle.directory, "fp32", "cpu", _CEILING_SECONDS, files)
        for kept, measured in ((ceilings, found), (ours, job())):
            for key, rate in measured.items():
                kept[key].append(rate)
    # The layout that is best over all rounds: the best of each round would be so by luck, too.
    ceiling = np.array(max(ceilings.values(), key=np.median))
    for key, rates in ours.items():
        ratios = np.array(rates) / ceiling
        interval = bootstrap_interval(lambda drawn: float(np.median(drawn)), ratios)
        figures.add(f"{key}_of_ceiling", float(np.median(ratios)), interval)
        figures.add(f"{key}_photos_per_second", float(np.median(rates)))
        figures.add(f"{key}_ceiling_photos_per_second", float(np.median(ceiling)))
