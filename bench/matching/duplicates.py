"""Duplicates: products of fashion that share a photo, found from photo and poor name.

The photos that the shop itself has under several ids are all found by their bytes; so copies are
planted too, of some products under other ids, saved again smaller and at another quality.
"""

import csv
import hashlib
import io
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from bench.figures import Figures, share_interval
from bench.shops import FASHION, require
from bench.steps import catalens, learn
from catalog.manifest import ManifestConfig, Row, read_manifest

_COLUMN: Final = "poor_name"
_PLANTED: Final = 200
_SIDE: Final = 180
_QUALITY: Final = 75


def measure_duplicates(figures: Figures, work: Path) -> None:
    """Add `duplicates_found` and `duplicates_planted_found`, shares of such pairs in one group.

    And `duplicates_others`, how many groups hold neither: the page shows them, for a person to say.

    Args:
        figures: to add to.
        work: where the catalog, the page and the table are kept.
    """
    bundle, _ = learn(
        require(FASHION), work, "probe_poor", "--recipe", "probe", "--name-column", _COLUMN
    )
    rows = read_manifest(str(FASHION.manifest), ManifestConfig(name_column=_COLUMN)).rows
    catalog, table = work / "duplicates-catalog", work / "duplicates.csv"
    planted = _planted(rows, work)
    if not catalog.exists():
        manifest = _manifest((*rows, *planted.values()), work / "with-copies.csv")
        catalens("import", bundle.directory, manifest, catalog)
    minutes = catalens("duplicates", catalog, work / "duplicates.html", "--table", table)
    with table.open(newline="", encoding="utf-8") as file:
        group = {row["id"]: row["group"] for row in csv.DictReader(file)}
    files: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        files[hashlib.sha256(Path(row.image or "").read_bytes()).hexdigest()].append(row.id)
    shared = [ids for ids in files.values() if len(ids) > 1]
    pairs = {"found": shared, "planted_found": [[one, copy.id] for one, copy in planted.items()]}
    expected: set[str] = set()
    for key, known in pairs.items():
        found = np.array([len({group.get(one, one) for one in ids}) == 1 for ids in known])
        figures.add(f"duplicates_{key}", found.mean(), share_interval(found))
        expected |= {group[one] for ids in known for one in ids if one in group}
    figures.add("duplicates_others", len(set(group.values()) - expected))
    figures.add("duplicates_minutes", minutes)


def _planted(rows: tuple[Row, ...], work: Path) -> dict[str, Row]:
    """By id of the product, its copy."""
    chosen = np.random.default_rng(0).choice(len(rows), _PLANTED, replace=False)
    copies = {}
    for place in sorted(chosen.tolist()):
        row = rows[place]
        photo = work / "copies" / f"{row.id}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(io.BytesIO(Path(row.image or "").read_bytes())) as image:
            image.convert("RGB").resize((_SIDE, _SIDE)).save(photo, "JPEG", quality=_QUALITY)
        copies[row.id] = Row(0, str(photo), row.category, row.name, f"copy-{row.id}", None)
    return copies


def _manifest(rows: tuple[Row, ...], path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("id", "image", "category", "name"))
        table.writerows((row.id, row.image, row.category, row.name) for row in rows)
    return path
