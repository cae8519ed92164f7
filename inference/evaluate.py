"""How good a bundle's answers are on labelled photos: classify alone, or categorize in a catalog.

The photos go through the decode, the graph and the pooling that serving uses, so the figures are
those of the service.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import Categorisation
from catalog.manifest import BadRow, Manifest, Row
from catalog.metrics import average_precisions, classification_report
from catalog.moves import Move, moved
from catalog.precision import TARGET_PRECISION
from catalog.tags import TagModel
from catalog.tree import CategoryTree
from inference.bundle import Bundle
from inference.categoriser import Categoriser
from inference.devices import Device
from inference.neighbours import find_neighbours
from inference.photos import SeenRow, see_rows
from inference.session import Session

if TYPE_CHECKING:  # LanceDB takes seconds to import, and often no catalog is asked for
    from catalog.store import Catalog

Use = Literal["photo", "name", "both"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EvaluationReport:
    """What `catalens evaluate --json` writes.

    Attributes:
        images: rows that were judged.
        unreadable: rows that were not, for their photo cannot be read.
        figures: of `catalog.metrics.classification_report`.
        auto_share: share of rows that were decided without a person; only with a catalog.
        auto_precision: share of those that were right; None where there is none.
        tags: average precision by tag, over rows that were tagged; None with a catalog, and where
            the bundle or the manifest has none.
    """

    images: int
    unreadable: int
    figures: Mapping[str, object]
    auto_share: float | None = None
    auto_precision: float | None = None
    tags: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values, all shares as fractions."""
        report = {"images": self.images, "unreadable": self.unreadable, **self.figures}
        if self.auto_share is not None:
            report |= {"auto_share": self.auto_share, "auto_precision": self.auto_precision}
        if self.tags:
            report["mean_average_precision"] = float(np.mean(list(self.tags.values())))
            report["average_precision"] = dict(self.tags)
        return report


def needed_columns(catalog: bool, use: Use) -> frozenset[str]:
    """What `catalog.manifest.read_manifest` must ask of each row before it is evaluated."""
    if not catalog or use == "photo":
        return frozenset({"image", "category"})
    return frozenset({"name", "category"} if use == "name" else {"category"})


def evaluate(
    bundle: Bundle,
    manifest: Manifest,
    *,
    catalog: "Catalog | None" = None,
    use: Use = "both",
    precision: float = TARGET_PRECISION,
    variant: str = "fp32",
    device: Device = "auto",
    bad_rows_file: Path | None = None,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Judge every row of the manifest.

    Args:
        bundle: whose answers are judged.
        manifest: labelled rows, already narrowed to the split wanted.
        catalog: judge categorize in it instead of classify; a row's own product, where the
            catalog holds it, is not among its neighbours.
        use: what categorize is given of each row; without a catalog it is always the photo.
        precision: how often answers with a catalog that need no person must be right.
        variant: which graph.
        device: where the graph runs.
        bad_rows_file: where to list the bad rows, as CSV.
        progress: called now and then with the rows done and all there are.

    Raises:
        InvalidManifest: too many bad rows, or none that can be judged.
        DeviceUnavailable: the device asked for is not there.
    """
    session = Session(bundle, variant=variant, device=device, threads=1)
    part: Use = "photo" if catalog is None else use
    bad: list[BadRow] = []
    rows = _judgeable(session, manifest.rows, part, bad, progress)
    if catalog is None:
        tree = bundle.tree
        seen = list(rows)
        judged = [(one.row, one.probabilities) for one in seen if one.probabilities is not None]
        auto = None
    else:
        moves = catalog.moves()
        classes = {moved(path, moves) for path in bundle.document.classes}
        tree = CategoryTree(sorted(classes | catalog.categories().keys()))
        categoriser = Categoriser.of(bundle)
        judged, auto = [], []
        for one in rows:
            row = _moved(one.row, moves)
            answer = _categorise(categoriser, catalog, one, moves, precision)
            judged.append((row, _shares(answer, tree)))
            if answer.decision == "auto":
                auto.append(answer.path == row.category)
    manifest.with_bad(bad, bad_rows_file)
    truth = [row.category or "" for row, _ in judged]
    return EvaluationReport(
        images=len(judged),
        unreadable=sum(row.image != "" for row in bad),
        figures=classification_report(tree, np.stack([shares for _, shares in judged]), truth),
        auto_share=None if auto is None else len(auto) / len(judged),
        auto_precision=sum(auto) / len(auto) if auto else None,
        tags=None if catalog is not None else _judged_tags(bundle.tags, seen),
    )


def _judged_tags(model: TagModel | None, seen: Iterable[SeenRow]) -> dict[str, float] | None:
    tagged = [
        (one.row.tags, one.embedding) for one in seen if one.row.tags and one.embedding is not None
    ]
    if model is None or not tagged:
        return None
    shares = model.probabilities(np.stack([embedding for _, embedding in tagged]))
    truth = np.array([[name in tags for name in model.names] for tags, _ in tagged])
    return average_precisions(model.names, shares, truth)


def _judgeable(
    session: Session,
    rows: tuple[Row, ...],
    use: Use,
    bad: list[BadRow],
    progress: Progress | None,
) -> Iterator[SeenRow]:
    """The rows that can be judged, with the photo or the name hidden where it is not used."""
    given = (
        replace(
            row,
            image=None if use == "name" else row.image,
            name=None if use == "photo" else row.name,
        )
        for row in rows
    )
    for done, seen in enumerate(see_rows(session, given), start=1):
        if isinstance(seen, BadRow):
            bad.append(seen)
        elif seen.probabilities is None and not seen.row.name:
            bad.append(BadRow(seen.row.line, "", "image", "neither photo nor name to judge"))
        else:
            yield seen
        if progress:
            progress(done, len(rows))


def _moved(row: Row, moves: Sequence[Move]) -> Row:
    """A row that may have been labelled before the catalog's categories were moved."""
    return replace(row, category=row.category and moved(row.category, moves))


def _categorise(
    categoriser: Categoriser,
    catalog: "Catalog",
    seen: SeenRow,
    moves: Sequence[Move],
    precision: float,
) -> Categorisation:
    row = seen.row
    neighbours = find_neighbours(catalog, seen.embedding, row.name, without=row.id)
    return categoriser.categorise(
        neighbours, seen.probabilities, seen.embedding, row.name, moves, precision
    )


def _shares(answer: Categorisation, tree: CategoryTree) -> NDArray[np.float32]:
    """The answer's probabilities as float32 [classes of the tree]."""
    shares = {one.path: one.probability for one in answer.ranked}
    return np.array([shares.get(path, 0.0) for path in tree.classes], dtype=np.float32)
