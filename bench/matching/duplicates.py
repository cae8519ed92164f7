"""Duplicates: products of fashion that share a photo, found from photo and poor name."""

import csv
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Final

from bench.figures import Figures
from bench.shops import FASHION, require
from bench.steps import catalens, learn

_NAMES: Final = ("--name-column", "poor_name")


def measure_duplicates(figures: Figures, work: Path) -> None:
    """Add `duplicates_found`, the share of such pairs in one group, and `duplicates_others`.

    Args:
        figures: to add to.
        work: where the catalog, the page and the table are kept.
    """
    manifest = require(FASHION).manifest
    bundle, _ = learn(FASHION, work, "probe_poor", "--recipe", "probe", *_NAMES)
    catalog, table = work / "duplicates-catalog", work / "duplicates.csv"
    if not catalog.exists():
        catalens("import", bundle.directory, manifest, catalog, *_NAMES)
    minutes = catalens("duplicates", catalog, work / "duplicates.html", "--table", table)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    group = {row["id"]: row["group"] for row in rows}
    files: dict[str, list[str]] = defaultdict(list)
    for row in (*FASHION.rows("train").rows, *FASHION.rows("val").rows):
        files[hashlib.sha256(Path(row.image or "").read_bytes()).hexdigest()].append(row.id)
    shared = [ids for ids in files.values() if len(ids) > 1]
    found = [len({group.get(one, one) for one in ids}) == 1 for ids in shared]
    figures.add("duplicates_photos", len(shared))
    figures.add("duplicates_found", sum(found) / len(found))
    figures.add("duplicates_others", len({r["group"] for r in rows if r["shares_photo"] == "0"}))
    figures.add("duplicates_minutes", minutes)
