"""New categories from a few tagged photos, without training: through the live catalog."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures
from bench.shops import GROCERY, Shop, require
from bench.steps import learn
from catalog.manifest import Manifest, Row
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.evaluate import evaluate
from inference.importer import import_manifest

_LEFT_OUT: Final = 20
_PHOTOS: Final = (1, 5, 10)
_DRAWS: Final = 3
_BUDGET: Final = "15m"


def measure_few_shot(figures: Figures, work: Path) -> None:
    """Add `fewshot_K`: top-1 among all 81 categories of photos of the 20 that are new.

    And beside it `fewshot_K_known`, that of the others, which the new ones must not cost. Means of
    three draws of the K photos, with the lowest and the highest.

    Args:
        figures: to add to.
        work: where the run, the bundle and the catalogs are kept.
    """
    train, judged = (require(GROCERY).rows(split) for split in ("train", "val"))
    occurring = sorted({row.category or "" for row in judged.rows})
    places = np.linspace(0, len(occurring) - 1, _LEFT_OUT).round().astype(int)
    new = {occurring[place] for place in places}
    manifest = work / "fewshot.csv"
    old = _narrowed(train, {row.category or "" for row in train.rows} - new)
    _write(manifest, old.rows)
    bundle, _ = learn(Shop("fewshot", manifest), work, "auto_fewshot", "--budget", _BUDGET)
    known = work / "fewshot-catalog"
    if not known.exists():
        import_manifest(bundle, old, str(known))
    parts = {
        "": replace(judged, rows=tuple(row for row in judged.rows if row.category in new)),
        "_known": replace(
            judged, rows=tuple(row for row in judged.rows if row.category not in new)
        ),
    }
    for photos in _PHOTOS:
        drawn = [_drawn(train.rows, new, photos, seed) for seed in range(_DRAWS)]
        scores = [_top1(bundle, known, replace(train, rows=rows), parts) for rows in drawn]
        for part in parts:
            found = [score[part] for score in scores]
            interval = min(found), max(found)
            figures.add(f"fewshot_{photos}{part}", float(np.mean(found)), interval)


def _narrowed(manifest: Manifest, categories: set[str]) -> Manifest:
    rows = tuple(row for row in manifest.rows if row.category in categories)
    return replace(manifest, rows=rows)


def _drawn(rows: Sequence[Row], new: set[str], photos: int, seed: int) -> tuple[Row, ...]:
    """That many photos of each new category."""
    rng = np.random.default_rng(seed)
    drawn: list[Row] = []
    for category in sorted(new):
        own = [row for row in rows if row.category == category]
        drawn.extend(own[place] for place in rng.permutation(len(own))[:photos])
    return tuple(drawn)


def _top1(
    bundle: Bundle, known: Path, added: Manifest, parts: dict[str, Manifest]
) -> dict[str, float]:
    """Top-1 of each part's photos, with the added products in a copy of the catalog."""
    catalog = known.with_name("fewshot-catalog-with-new")
    shutil.rmtree(catalog, ignore_errors=True)
    shutil.copytree(known, catalog)
    import_manifest(bundle, added, str(catalog))
    opened = Catalog.open(str(catalog), bundle.document.embedding_id)
    return {
        name: float(evaluate(bundle, part, catalog=opened, use="photo").figures["top1"])  # type: ignore[arg-type]
        for name, part in parts.items()
    }


def _write(manifest: Path, rows: Sequence[Row]) -> None:
    with manifest.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "category"))
        table.writerows((row.image, row.category) for row in rows)
