"""A drawn shop of 300 categories in four levels, a fifth of them with a single photo."""

import csv
from collections import Counter
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from bench.figures import Figures, share_interval
from bench.shops import Shop
from bench.steps import judge, learn
from catalens.background import served
from catalens.sample import SampleConfig, draw_shop
from catalog.tables import read_bytes

_PRODUCTS: Final = 8_000
# Training photos that a category keeps, category after category.
_KEPT: Final = (1, 16, 2, 8, 1, 4, 12, 2, 6, 3)
_BUDGET: Final = "15m"
_PORT: Final = 8458
# Up to so many training photos, and how the key says it.
_TAIL: Final = ((1, "1"), (3, "2_to_3"), (9, "4_to_9"), (10**6, "10_or_more"))


def measure_large_tree(figures: Figures, work: Path) -> None:
    """Add accuracy by depth and by how many photos the category had to train on.

    The fourth level is the colour, for mugs with or without a pattern. The model is trained,
    exported and asked over HTTP.

    Args:
        figures: to add to.
        work: where shop, run and bundle are kept.
    """
    shop = Shop("large_tree", _draw(work / "large-tree"))
    bundle, minutes = learn(shop, work, "auto_large_tree", "--budget", _BUDGET)
    photos = Counter(row.category or "" for row in shop.rows("train").rows)
    answers = judge(bundle, shop)
    figures.add("large_tree_categories", len(photos))
    figures.add("large_tree_minutes", minutes["train"])
    figures.add("large_tree_top1", answers.right.mean(), share_interval(answers.right))
    depths = answers.report["depth"]
    assert isinstance(depths, dict)
    for depth, share in depths.items():
        figures.add(f"large_tree_depth{depth}", share)
    seen = np.array([photos[path] for path in answers.truth])
    least = 1
    for most, name in _TAIL:
        rows = (seen >= least) & (seen <= most)
        figures.add(f"large_tree_categories_with_{name}", _between(photos, least, most))
        if rows.any():
            key = f"large_tree_top1_with_{name}"
            figures.add(key, answers.right[rows].mean(), share_interval(answers.right[rows]))
        least = most + 1
    row = shop.rows("val").rows[0]
    with served(bundle.directory, None, _PORT) as address:
        answer = httpx.post(
            f"{address}/v1/classify",
            content=read_bytes(row.image or ""),
            headers={"Content-Type": "image/jpeg"},
            trust_env=False,
        )
    figures.add("large_tree_http_status", answer.status_code)


def _between(photos: Counter[str], least: int, most: int) -> int:
    return sum(least <= count <= most for count in photos.values())


def _draw(directory: Path) -> Path:
    """The shop's manifest with a fourth level."""
    deep = directory / "deep.csv"
    if deep.exists():
        return deep
    manifest = draw_shop(directory, SampleConfig(products=_PRODUCTS, photos=1, size=256))
    with manifest.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = sorted({_category(row) for row in rows if row["split"] == "train"})
    left = {path: _KEPT[place % len(_KEPT)] for place, path in enumerate(paths)}
    with deep.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "category", "split"))
        for row in rows:
            path = _category(row)
            if row["split"] == "train":
                left[path] -= 1
            if path in left and (row["split"] != "train" or left[path] >= 0):
                table.writerow((row["image"], path, row["split"]))
    return deep


def _category(row: dict[str, str]) -> str:
    if not row["category"].endswith("/Mug"):
        return f"{row['category']}/{row['colour']}"
    finish = "plain" if row["pattern"] == "none" else "patterned"
    return f"{row['category']}/{row['colour']} {finish}"
