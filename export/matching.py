"""A bundle with a match model learnt from pairs: the same graphs, the same embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from catalog.errors import InvalidManifest
from catalog.match import MatchModel
from catalog.names import DEFAULT_NAME_MODEL, NameModel, normalise
from catalog.names.pairs import NamePair, name_pair, profile
from catalog.names.words import WordStatistics
from inference.bundle import Bundle, rewrite_match
from inference.pairs import SeenPair
from train.matching.names import fit_names
from train.matching.score import LEAST, Compared, fit_score


@dataclass(frozen=True)
class FittedMatching:
    """What fitting came to.

    Attributes:
        bundle: the new one.
        pairs: it was fitted to.
        same: how many of these are one product.
    """

    bundle: Bundle
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
    same = np.array([one.pair.same for one in pairs], bool)
    if min(same.sum(), (~same).sum()) < LEAST:
        raise InvalidManifest(
            f"{int(same.sum())} pairs are the same and {int((~same).sum())} are not.",
            where=source,
            fix=f"Give at least {LEAST} of either.",
        )
    names, similarities, conflicts = _fit_names(pairs)
    compared = [
        Compared(one.image_similarity, similarity, conflict, one.pair.same)
        for one, similarity, conflict in zip(pairs, similarities, conflicts, strict=True)
    ]
    model: MatchModel = fit_score(compared, names, precision)
    fitted = rewrite_match(bundle, directory, model, source)
    return FittedMatching(fitted, len(pairs), int(same.sum()))


def _fit_names(
    pairs: Sequence[SeenPair],
) -> tuple[NameModel, list[float | None], list[bool]]:
    """The names' model; for each pair its similarity out of fold, and whether amounts differ."""
    named = [place for place, one in enumerate(pairs) if one.pair.left.name and one.pair.right.name]
    sides = {
        name: normalise(name)
        for place in named
        for name in (pairs[place].pair.left.name or "", pairs[place].pair.right.name or "")
    }
    statistics = WordStatistics.of(sides.values())
    profiles = {written: profile(name, statistics) for written, name in sides.items()}
    compared: list[NamePair] = [
        name_pair(
            profiles[pairs[place].pair.left.name or ""],
            profiles[pairs[place].pair.right.name or ""],
        )
        for place in named
    ]
    similarities: list[float | None] = [None] * len(pairs)
    conflicts = [False] * len(pairs)
    same = np.array([pairs[place].pair.same for place in named], bool)
    if min(same.sum(), (~same).sum()) < LEAST:
        model = NameModel(
            DEFAULT_NAME_MODEL.bias, DEFAULT_NAME_MODEL.features, statistics=statistics
        )
        logits = model.logits(compared)
    else:
        model, logits = fit_names(compared, same, statistics)
    for place, pair, logit in zip(named, compared, logits.tolist(), strict=True):
        similarities[place] = float(expit(logit))
        conflicts[place] = pair.features.quantities < 0
    return model, similarities, conflicts
