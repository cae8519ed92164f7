"""The final score of a pair, learnt: what photos and names weigh, and from where they decide."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import precision_recall_curve

from catalog.match import DEFAULT_MATCH_MODEL, MatchModel, PairWeights, evidence_terms, pair_score
from catalog.names.model import NameModel

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST: Final = 20
"""Pairs of either kind, same and different, that weights are fitted to at least."""

_PENALTY: Final = 1e-3
_CURVE: Final = 100


@dataclass(frozen=True)
class Compared:
    """What is known of a pair.

    Attributes:
        image_similarity: cosine of the photos' embeddings, or None.
        name_similarity: probability by the names, of a model that did not learn from them, or None.
        conflict: whether the names state different amounts.
        same: whether the products are one.
    """

    image_similarity: float | None
    name_similarity: float | None
    conflict: bool
    same: bool


def fit_score(pairs: Sequence[Compared], names: NameModel, precision: float) -> MatchModel:
    """Fit the weights of photos and names, each alone and together, and the thresholds.

    Weights that there are too few pairs for (`LEAST`) stay those of the default.

    Args:
        pairs: all that is known.
        names: what compares names from now on.
        precision: how often `same`, and `different`, must be right on these pairs, 0 to 1.
    """
    model = replace(
        DEFAULT_MATCH_MODEL,
        both=_fit(pairs, "image_similarity", "name_similarity") or DEFAULT_MATCH_MODEL.both,
        image_only=_fit(pairs, "image_similarity") or DEFAULT_MATCH_MODEL.image_only,
        name_only=_fit(pairs, "name_similarity") or DEFAULT_MATCH_MODEL.name_only,
        names=names,
    )
    scores = np.array(
        [
            pair_score(model, pair.image_similarity, pair.name_similarity, pair.conflict)
            for pair in pairs
        ]
    )
    return _decided(model, scores, np.array([pair.same for pair in pairs]), precision)


def _fit(pairs: Sequence[Compared], *given: str) -> PairWeights | None:
    """Weights from the pairs of which that is known; a logistic with bounds, slightly drawn in."""
    usable = [pair for pair in pairs if all(getattr(pair, key) is not None for key in given)]
    same = np.array([pair.same for pair in usable], np.float64)
    if not usable or min(same.sum(), (1 - same).sum()) < LEAST:
        return None
    terms = [
        evidence_terms(
            pair.image_similarity if "image_similarity" in given else None,
            pair.name_similarity if "name_similarity" in given else None,
            pair.conflict and "name_similarity" in given,
        )
        for pair in usable
    ]
    names = list(terms[0])
    table = np.array([[one[name] for name in names] for one in terms])

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = weights[0] + table @ weights[1:]
        wrong = 1 / (1 + np.exp(-logits)) - same
        value = np.mean(np.logaddexp(0, logits) - same * logits)
        drawn = np.concatenate([[0.0], _PENALTY * weights[1:]])
        slope = np.concatenate([[wrong.mean()], wrong @ table / len(table)])
        return float(value + 0.5 * _PENALTY * weights[1:] @ weights[1:]), slope + drawn

    bounds = [(None, None), *[(0.0, None)] * len(names)]
    found = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B").x
    return PairWeights(bias=float(found[0]), **dict(zip(names, found[1:].tolist(), strict=True)))


def _decided(model: MatchModel, scores: Floats, same: Bools, precision: float) -> MatchModel:
    """With the thresholds that these scores ask for, and their precision-recall curve."""
    right, found, thresholds = precision_recall_curve(same, scores)
    f1 = 2 * right * found / np.maximum(right + found, 1e-9)
    match_at = float(thresholds[f1[:-1].argmax()])
    enough = np.flatnonzero(right[:-1] >= precision)
    same_at = float(thresholds[enough[0]]) if len(enough) else 1.0
    order = np.argsort(scores, kind="stable")
    different = np.cumsum(~same[order]) / np.arange(1, len(order) + 1)
    last = np.append(np.diff(scores[order]) > 0, True)  # of equal scores: all are in or none
    sure = np.flatnonzero((different >= precision) & last)
    different_at = float(scores[order][sure[-1]]) if len(sure) else 0.0
    shown = np.linspace(0, len(thresholds) - 1, min(_CURVE, len(thresholds))).round().astype(int)
    curve = np.column_stack([thresholds, right[:-1], found[:-1]])[shown].round(4)
    same_at = max(same_at, match_at)
    return replace(
        model,
        match_at=match_at,
        same_at=same_at,
        different_at=min(different_at, match_at, np.nextafter(same_at, 0)),
        curve=tuple((t, p, r) for t, p, r in curve.tolist()),
    )
