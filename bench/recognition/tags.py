"""Tags of fashion products (colour, season, use, for whom), each a probability of its own."""

import csv
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures, bootstrap_interval
from bench.shops import FASHION, Shop, require
from bench.steps import learn
from inference.evaluate import evaluate

_COLUMNS: Final = ("colour", "season", "usage", "gender")


def measure_tags(figures: Figures, work: Path) -> None:
    """Add `tags_map`: the mean average precision over the tags on `val`, by the probe.

    The interval is over tags. Beside it `tags_chance`, what ranking at random would reach: the
    mean share of photos that have the tag.

    Args:
        figures: to add to.
        work: where manifest, run and bundle are kept.
    """
    shop = Shop("fashion_tags", work / "fashion-tags.csv")
    _write(shop.manifest)
    bundle, _ = learn(shop, work, "probe_fashion_tags", "--recipe", "probe")
    judged = shop.rows("val")
    found = evaluate(bundle, judged).tags
    assert found is not None
    scores = np.array(list(found.values()))
    figures.add("tags", len(found))
    figures.add("tags_map", scores.mean(), bootstrap_interval(np.mean, scores))
    shares = [np.mean([tag in row.tags for row in judged.rows]) for tag in found]
    figures.add("tags_chance", float(np.mean(shares)))


def _write(manifest: Path) -> None:
    """Fashion's table with those columns as tags."""
    source = require(FASHION).manifest
    with (
        source.open(newline="", encoding="utf-8") as old,
        manifest.open("w", newline="", encoding="utf-8") as new,
    ):
        table = csv.writer(new)
        table.writerow(("image", "category", "split", "tags"))
        for row in csv.DictReader(old):
            tags = ";".join(filter(None, (row[column] for column in _COLUMNS)))
            table.writerow((source.parent / row["image"], row["category"], row["split"], tags))
