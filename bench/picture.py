"""The README's picture: photos that `make demo` did not train on, with its bundle's answers."""

from pathlib import Path

import numpy as np
from matplotlib import image as matplotlib_image
from matplotlib.figure import Figure

from catalog.manifest import Row, read_manifest
from inference.bundle import read_bundle
from inference.photos import SeenRow, see_rows
from inference.session import Session

_DEMO = Path("demo")
_PICTURE = Path("docs/answers.png")
_COLUMNS = 6


def main(json_file: Path | None, work: Path | None) -> None:
    """Draw docs/answers.png from the demo's shop and bundle."""
    session = Session(read_bundle(_DEMO / "bundle"), device="cpu")
    rows = read_manifest(str(_DEMO / "shop" / "manifest.csv")).split("val").rows
    figure = Figure(figsize=(2.1 * _COLUMNS, 3.1), layout="constrained")
    axes = figure.subplots(2, _COLUMNS, height_ratios=(3, 1.2))
    for column, seen in enumerate(see_rows(session, _one_per_category(rows)[:_COLUMNS])):
        assert isinstance(seen, SeenRow)
        assert seen.probabilities is not None
        photo, bars = axes[:, column]
        photo.imshow(matplotlib_image.imread(seen.row.image))
        photo.set_axis_off()
        best = np.argsort(-seen.probabilities)[:3][::-1]
        names = [session.bundle.document.classes[place].rpartition("/")[2] for place in best]
        shares = seen.probabilities[best]
        bars.barh(names, shares, color=["#c9d7e8", "#c9d7e8", "#2f6fb3"])
        for place, share in enumerate(shares):
            bars.text(min(share, 0.7) + 0.03, place, f"{share:.2f}", va="center", fontsize=9)
        bars.set(xlim=(0, 1), xticks=[])
        bars.spines[:].set_visible(False)
        bars.tick_params(length=0)
    _PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(_PICTURE, dpi=90)


def _one_per_category(rows: tuple[Row, ...]) -> list[Row]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.category or "", row)
    return list(first.values())
