"""A bundle with a match model learnt from pairs: the same graphs, the same embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from catalog.errors import InvalidManifest
from catalog.match import MatchModel
from catalog.names import NameModel, normalise
from catalog.names.common import NamePair, name_pair, profile
from catalog.names.words import WordStatistics
from inference.bundle import Bundle, refuse_taken, rewrite_match
from inference.pairs import SeenPair
from train.matching.names import FOLDS, fit_names
from train.matching.score import LEAST, Compared, fit_score


@dataclass(frozen=True)
class FittedMatching:
    """What fitting came to.

    Attributes:
        bundle: the new one.
        model: what was fitted.
        pairs: it was fitted to.
        same: how many of these are one product.
    """

    bundle: Bundle
    model: MatchModel
    pairs: int
    same: int


def fit_matching(
    bundle: Bundle,
    pairs: Sequence[SeenPair],
    directory: Path,
    *,
    source: str,
    precision: float = 0.95,
) -> FittedMatching:
    """Learn what names, photos and both together say of two products being one.

    Args:
        bundle: whose embeddings the photos were compared by.
        pairs: with their photos compared.
        directory: of the new bundle; must not exist.
        source: where the pairs come from, for the provenance.
        precision: how often `same`, and `different`, must be right on these pairs.

    Raises:
        InvalidManifest: fewer than 20 pairs of either kind, same and different.
        InvalidBundle: the directory exists.
    """
    refuse_taken(directory)
    same = np.array([one.pair.same for one in pairs], bool)
    if min(same.sum(), (~same).sum()) < LEAST:
        raise InvalidManifest(
            f"{int(same.sum())} pairs are the same and {int((~same).sum())} are not.",
            where=source,
            fix=f"Give at least {LEAST} of either.",
        )
    names, similarities, conflicts = _fit_names(pairs, bundle.match_model.names)
    compared = [
        Compared(one.image_similarity, similarity, conflict, one.pair.same)
        for one, similarity, conflict in zip(pairs, similarities, conflicts, strict=True)
    ]
    model = fit_score(compared, names, precision)
    fitted = rewrite_match(bundle, directory, model, source)
    return FittedMatching(fitted, model, len(pairs), int(same.sum()))


def _fit_names(
    pairs: Sequence[SeenPair], known: NameModel
) -> tuple[NameModel, list[float | None], list[bool]]:
    """The names' model; for each pair its similarity out of fold, and whether amounts differ.

    With too few pairs of names, or of too few products, the ``known`` model stays.
    """
    sides = {
        written: normalise(written)
        for one in pairs
        for written in (one.pair.left.name, one.pair.right.name)
        if written
    }
    statistics = WordStatistics.of(sides.values())
    profiles = {written: profile(name, statistics) for written, name in sides.items() if name.text}
    named: dict[int, NamePair] = {}
    for place, one in enumerate(pairs):
        left, right = (profiles.get(side.name or "") for side in (one.pair.left, one.pair.right))
        if left and right:
            named[place] = name_pair(left, right)
    same = np.array([pairs[place].pair.same for place in named], bool)
    similarities: list[float | None] = [None] * len(pairs)
    conflicts = [False] * len(pairs)
    for place, pair in named.items():
        conflicts[place] = pair.features.quantities < 0
    groups = np.array([pairs[place].pair.left.name or "" for place in named])
    enough = min(same.sum(), (~same).sum()) >= LEAST
    if not enough or min(len(set(groups[one])) for one in (same, ~same)) < FOLDS:
        for place in named:
            a, b = pairs[place].pair.left.name, pairs[place].pair.right.name
            similarities[place] = known.compare(a or "", b or "").similarity
        return known, similarities, conflicts
    model, logits = fit_names(
        list(named.values()),
        same,
        statistics,
        groups.tolist(),
    )
    for place, logit in zip(named, logits.tolist(), strict=True):
        similarities[place] = float(expit(logit))
    return model, similarities, conflicts
