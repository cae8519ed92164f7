"""Where a product belongs: fashion by photo, by name, by both, against the catalog of its train."""

from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures, bootstrap_interval, gain_interval, share_interval
from bench.shops import FASHION, require
from bench.steps import catalens, learn
from catalog.categorise import Categorisation
from catalog.manifest import ManifestConfig, read_manifest
from catalog.metrics import automatic_share
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.categoriser import Categoriser
from inference.neighbours import find_neighbours
from inference.photos import SeenRow, see_rows
from inference.session import Session

_PRECISION: Final = 0.98
# Key of the figures; the column of names, those of a bad supplier feed and the shop's own; how to
# learn: where the names say nearly all, the least of recipes.
_NAMES: Final = {
    "poor": ("poor_name", ("--budget", "30m")),
    "full": ("name", ("--recipe", "probe")),
}


def measure_categorize(figures: Figures, work: Path) -> None:
    """Add `categorize_poor_top1` and `categorize_full_top1`, with each part alone beside them.

    And what is answered without a person at 98% precision, `auto_share_at_98` for poor names. The
    bundle learns from train, which fills the catalog; val is asked about.

    Args:
        figures: to add to.
        work: where runs, bundles and catalogs are kept.
    """
    manifest = require(FASHION).manifest
    for key, (column, flags) in _NAMES.items():
        names = ("--name-column", column)
        bundle, _ = learn(FASHION, work, f"categorize_{key}", *flags, *names)
        place = work / f"categorize_{key}-catalog"
        if not place.exists():
            catalens("import", bundle.directory, manifest, place, "--split", "train", *names)
        catalog = Catalog.open(str(place), bundle.document.embedding_id)
        rows = read_manifest(str(manifest), ManifestConfig(name_column=column)).split("val").rows
        seen = [
            one for one in see_rows(Session(bundle, device="cpu"), rows) if isinstance(one, SeenRow)
        ]
        right = {}
        for use in ("both", "photo", "name"):
            answers = _answers(bundle, catalog, seen, use)
            right[use] = np.array(
                [answer.path == one.row.category for answer, one in zip(answers, seen, strict=True)]
            )
            suffix = "top1" if use == "both" else use
            figures.add(f"categorize_{key}_{suffix}", right[use].mean(), share_interval(right[use]))
            if use == "both":
                sure = np.array([answer.score for answer in answers])
                name = "auto_share_at_98" if key == "poor" else f"auto_share_at_98_{key}"
                figures.add(name, *_automatic(sure, right[use]))
        for use in ("photo", "name"):
            gain = float(right["both"].mean() - right[use].mean())
            interval = gain_interval(right["both"], right[use])
            figures.add(f"categorize_{key}_over_{use}", gain, interval)


def _answers(
    bundle: Bundle, catalog: Catalog, seen: list[SeenRow], use: str
) -> list[Categorisation]:
    categoriser = Categoriser.of(bundle)
    found = []
    for one in seen:
        embedding = None if use == "name" else one.embedding
        shares = None if use == "name" else one.probabilities
        name = None if use == "photo" else one.row.name
        near = find_neighbours(catalog, embedding, name, without=one.row.id)
        found.append(categoriser.categorise(near, shares, embedding, name))
    return found


def _automatic(sure: np.ndarray, right: np.ndarray) -> tuple[float, tuple[float, float]]:
    share = automatic_share(sure, right, _PRECISION)
    interval = bootstrap_interval(
        lambda drawn: automatic_share(drawn[:, 0], drawn[:, 1] > 0, _PRECISION),
        np.column_stack([sure, right]),
        500,
    )
    return share, interval
