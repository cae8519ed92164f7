"""Pairs of products through a bundle: how alike their photos are, and how good its scores are."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from catalog.errors import InvalidManifest
from catalog.manifest import BadRow, Row
from catalog.match import score_pair
from catalog.pairs import Pair
from inference.bundle import Bundle
from inference.devices import Device
from inference.photos import see_rows
from inference.session import Session

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SeenPair:
    """A pair with the cosine of its photos, None without two of them."""

    pair: Pair
    image_similarity: float | None


def see_pairs(
    bundle: Bundle,
    pairs: Sequence[Pair],
    *,
    device: Device = "auto",
    progress: Progress | None = None,
) -> tuple[list[SeenPair], list[BadRow]]:
    """Compare the photos of pairs, each photo embedded once.

    Args:
        bundle: embeds the photos.
        pairs: to compare.
        device: where the graph runs.
        progress: called now and then with the photos done and all there are.

    Returns:
        the pairs, and those of which a photo cannot be read, which are left out.

    Raises:
        DeviceUnavailable: the device asked for is not there.
    """
    lines = {
        side.image: pair.line
        for pair in pairs
        for side in (pair.left, pair.right)
        if pair.left.image and pair.right.image and side.image
    }
    rows = [Row(line, image, None, None, image, None) for image, line in lines.items()]
    embeddings: dict[str, NDArray[np.float32]] = {}
    unreadable: dict[str, BadRow] = {}
    if rows:
        session = Session(bundle, device=device, threads=1)
        for done, seen in enumerate(see_rows(session, rows), start=1):
            if isinstance(seen, BadRow):
                unreadable[seen.image] = seen
            elif seen.embedding is not None:
                embeddings[seen.row.id] = seen.embedding
            if progress:
                progress(done, len(rows))
    kept, bad = [], []
    for pair in pairs:
        left, right = pair.left.image, pair.right.image
        if left is None or right is None:
            kept.append(SeenPair(pair, None))
        elif problem := unreadable.get(left) or unreadable.get(right):
            bad.append(BadRow(pair.line, problem.image, "image", problem.problem, pair.split))
        else:
            kept.append(SeenPair(pair, float(embeddings[left] @ embeddings[right])))
    return kept, bad


@dataclass(frozen=True)
class MatchingReport:
    """How good the scores of pairs are, at the bundle's `match_at`.

    Attributes:
        pairs: that were judged.
        f1, precision, recall: of those that are one product, fractions.
        average_precision: over all thresholds.
        curve: float64 [P, 2], recall and precision over all thresholds.
    """

    pairs: int
    f1: float
    precision: float
    recall: float
    average_precision: float
    curve: NDArray[np.float64]

    def to_json(self) -> dict[str, float]:
        """The figures, as plain JSON values."""
        return {key: value for key, value in asdict(self).items() if key != "curve"}


def evaluate_matching(bundle: Bundle, pairs: Sequence[SeenPair]) -> MatchingReport:
    """Judge the bundle's scores.

    Raises:
        InvalidManifest: none of the pairs is one product.
    """
    same = np.array([one.pair.same for one in pairs], bool)
    if not same.any():
        raise InvalidManifest("none of the pairs is one product.", where="same")
    scores = np.array(scores_of(bundle, pairs))
    said = scores >= bundle.match_model.match_at
    right = int((said & same).sum())
    precision, recall, _ = precision_recall_curve(same, scores)
    return MatchingReport(
        pairs=len(pairs),
        f1=2 * right / float(said.sum() + same.sum()),
        precision=right / float(said.sum() or 1),
        recall=right / float(same.sum()),
        average_precision=float(average_precision_score(same, scores)),
        curve=np.column_stack([recall, precision]),
    )


def scores_of(bundle: Bundle, pairs: Sequence[SeenPair]) -> list[float]:
    """The final score of each pair."""
    model = bundle.match_model
    scores = []
    for one in pairs:
        left, right = one.pair.left.name, one.pair.right.name
        names = model.names.compare(left, right) if left and right else None
        scores.append(score_pair(model, one.image_similarity, names).score)
    return scores
