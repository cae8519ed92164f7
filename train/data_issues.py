"""What a person should look at in the shop's own data: doubtful labels, and photos seen twice."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final, Literal

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from catalog.alike import alike
from catalog.manifest import Row
from train.near_duplicates import centred_directions

Kind = Literal["label", "two labels", "leak"]

# Cosine of centred features from which two photos are taken for one scene.
_TWIN: Final = 0.95
# All pairs are compared, so of more photos a part is looked at.
_MOST: Final = 30_000
# A label is doubted where its category has so many photos, or nothing is known of the category.
_FEWEST: Final = 5
# With 3% of fashion's labels made wrong, 0.82 of the most doubtful are; by the margin 0.51.
_RANKED_BY: Final = "self_confidence"


@dataclass(frozen=True)
class DataIssue:
    """A photo that a person should look at.

    Attributes:
        kind: ``label``, it looks like another category; ``two labels``, nearly the same photo is
            in another category; ``leak``, nearly the same photo was trained on, so what the model
            answers here proves nothing.
        image: path or URI.
        category: its label.
        split: of the manifest, or empty.
        suggestion: the other category; empty for a leak.
        twin: path or URI of the photo nearly the same; empty for a label.
        score: probability that a model which did not see the photo gives its label, for a label;
            the cosine of the two photos' centred features otherwise.
    """

    kind: Kind
    image: str
    category: str
    split: str
    suggestion: str
    twin: str
    score: float


def doubtful_labels(
    rows: Sequence[Row],
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: Sequence[str],
) -> list[DataIssue]:
    """Labels that confident learning (Northcutt et al. 2021, arXiv:1911.00068) takes for wrong.

    Args:
        rows: N labelled photos.
        probabilities: float32 [N, classes], out of sample.
        targets: int64 [N], class of each by its label.
        classes: category paths.

    Returns:
        the worst first.
    """
    counts = np.bincount(targets, minlength=len(classes))
    known = np.flatnonzero(counts[targets] >= _FEWEST)
    used, labels = np.unique(targets[known], return_inverse=True)
    if len(used) < 2:
        return []
    among = probabilities[np.ix_(known, used)]
    among = among / among.sum(axis=1, keepdims=True)
    doubtful = find_label_issues(labels, among, return_indices_ranked_by=_RANKED_BY, n_jobs=1)
    quality = get_label_quality_scores(labels, among, method=_RANKED_BY)
    return [
        _issue(
            "label",
            rows[known[row]],
            suggestion=classes[used[among[row].argmax()]],
            score=float(quality[row]),
        )
        for row in doubtful
    ]


def twins_of_two_labels(rows: Sequence[Row], features: NDArray[np.float32]) -> list[DataIssue]:
    """Photos nearly the same that are in two categories, each with its likest; the likest first.

    Of more than 30,000 photos as many are looked at.

    Args:
        rows: N labelled photos.
        features: float32 [N, F] of the pretrained backbone.
    """
    some = np.sort(np.random.default_rng(0).permutation(len(rows))[:_MOST])
    directions = centred_directions(features[some], features.mean(axis=0))
    categories = np.array([rows[row].category for row in some])
    found: dict[tuple[int, int], float] = {}
    for left, right in alike(directions, directions, _TWIN):
        differ = categories[left] != categories[right]
        left, right = left[differ], right[differ]
        for row in np.unique(left):
            twin, cosine = _likest(directions, row, directions, right[left == row])
            found[min(row, twin), max(row, twin)] = cosine
    return [
        _issue(
            "two labels",
            rows[some[left]],
            suggestion=rows[some[right]].category or "",
            twin=rows[some[right]].image or "",
            score=cosine,
        )
        for (left, right), cosine in sorted(found.items(), key=lambda pair: -pair[1])
    ]


def leaks(
    rows: Sequence[Row],
    features: NDArray[np.float32],
    others: Sequence[Row],
    other_features: NDArray[np.float32],
) -> list[DataIssue]:
    """Photos of other splits that look nearly the same as one that was trained on.

    Args:
        rows: N labelled photos that were trained on.
        features: float32 [N, F] of the pretrained backbone.
        others: M photos of other splits.
        other_features: float32 [M, F].

    Returns:
        one for each such photo of ``others``, with its nearest; the likest first.
    """
    mean = features.mean(axis=0)
    trained = centred_directions(features, mean)
    aside = centred_directions(other_features, mean)
    found = []
    for left, right in alike(aside, trained, _TWIN):
        for row in np.unique(left):
            twin, cosine = _likest(aside, row, trained, right[left == row])
            found.append(_issue("leak", others[row], twin=rows[twin].image or "", score=cosine))
    return sorted(found, key=lambda issue: -issue.score)


def _likest(
    left: NDArray[np.float32], row: int, right: NDArray[np.float32], near: NDArray[np.intp]
) -> tuple[int, float]:
    """Of the right rows ``near`` the one with the largest cosine to the left ``row``."""
    cosines = right[near] @ left[row]
    best = int(cosines.argmax())
    return int(near[best]), float(cosines[best])


def write_issues(file: Path, issues: Iterable[DataIssue]) -> None:
    """Write as CSV, one row per issue."""
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(field.name for field in fields(DataIssue))
        table.writerows((*astuple(issue)[:-1], f"{issue.score:.4f}") for issue in issues)


def read_issues(file: Path) -> list[DataIssue]:
    """The inverse of `write_issues`."""
    with file.open(newline="", encoding="utf-8") as source:
        return [
            DataIssue(**{**row, "score": float(row["score"])})  # type: ignore[arg-type]
            for row in csv.DictReader(source)
        ]


def _issue(
    kind: Kind, row: Row, *, suggestion: str = "", twin: str = "", score: float
) -> DataIssue:
    return DataIssue(
        kind, row.image or "", row.category or "", row.split or "", suggestion, twin, score
    )
