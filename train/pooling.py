"""How what photo, look-alikes and name say of a category is weighed, learnt on photos left out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from catalog.manifest import Row
from catalog.metrics import surest_first
from catalog.names.categories import NameCategories
from catalog.pool import CategoriseWeights, Floats, log_smoothed, loudness, together, vote
from train.name_categories import learn_name_categories

# What may be there together: a photo with and without a catalog, a name with and without a photo.
_COMBINATIONS: Final = (
    ("classifier",),
    ("classifier", "image"),
    ("classifier", "suggester"),
    ("classifier", "image", "suggester"),
    ("suggester_alone",),
)
_NEIGHBOURS: Final = 50
_MOST_JUDGED: Final = 2_000
# Photos with names, from which their weight is learnt.
_LEAST_NAMED: Final = 50
_FOLDS: Final = 5
# The default exponents count as much as so many photos would.
_DEFAULTS_COUNT: Final = 10.0
_BLOCK: Final = 256
# Right answers that a precision is read from at least.
_FEWEST_SURE: Final = 20
_PRECISIONS: Final = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)


def learn_pooling(
    rows: Sequence[Row],
    judged: NDArray[np.int64],
    logits: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    groups: NDArray[np.int64],
    classes: Sequence[str],
    seed: int,
    known: CategoriseWeights | None = None,
) -> CategoriseWeights:
    """Fit the exponents of the log-linear pool, a conditional logit (McFadden 1974).

    Each combination of parts has its own, none below zero, drawn a little to the defaults. They
    maximise the likelihood of the categories, so what is pooled is calibrated.

    Args:
        rows: of all N labelled photos.
        judged: M of them, judged by a model that was not trained on their groups.
        logits: float32 [M, classes] of those, tempered.
        embeddings: float32 [N, D], unit length.
        groups: int64 [N]; photos of one group show one product, or nearly.
        classes: category paths.
        seed: which photos count, where there are many.
        known: whose exponents are taken, where those judged are too few to learn any; what answers
            are certain is then learnt of these.
    """
    folds = _folds(judged, groups)
    chosen = np.arange(len(judged))
    if len(judged) > _MOST_JUDGED:
        chosen = np.random.default_rng(seed).permutation(chosen)[:_MOST_JUDGED]
    judged, folds = judged[chosen], folds[chosen]
    weights = CategoriseWeights()
    parts = {
        "classifier": softmax(logits[chosen].astype(np.float64), axis=1),
        "image": _image_votes(rows, judged, embeddings, groups, classes, weights),
    }
    named = np.array([bool(rows[row].name) for row in judged])
    if named.sum() >= _LEAST_NAMED:
        parts |= _name_parts(rows, judged, folds, groups, classes)
    logs = {name: log_smoothed(part, weights.smoothing) for name, part in parts.items()}
    places = {path: place for place, path in enumerate(classes)}
    targets = np.array([places[rows[row].category or ""] for row in judged])
    learnt, certain = {}, {}
    for combination in _COMBINATIONS:
        if all(part in logs for part in combination):
            of_names = "suggester" in combination or "suggester_alone" in combination
            there = named if of_names else np.ones(len(judged), bool)
            table = np.stack([logs[part][there] for part in combination], axis=2)
            name = together(combination)
            learnt[name] = (
                _fit(table, combination, targets[there], weights)
                if known is None
                else known.exponents(combination)
            )
            certain[name] = _certain(table @ list(learnt[name].values()), targets[there])
    return replace(weights, learnt=learnt, certain=certain)


def _fit(
    table: Floats, parts: Sequence[str], targets: NDArray[np.int64], weights: CategoriseWeights
) -> dict[str, float]:
    """Exponents for log shares [photos, classes, parts]."""
    right = table[np.arange(len(targets)), targets]
    defaults = np.array([weights.exponents(parts)[part] for part in parts])
    penalty = _DEFAULTS_COUNT / len(targets)

    def loss(exponents: Floats) -> tuple[float, Floats]:
        scores = table @ exponents
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        sums = shares.sum(axis=1, keepdims=True)
        shares /= sums
        value = np.mean(np.log(sums[:, 0]) - scores[np.arange(len(targets)), targets])
        slope = (np.einsum("nc,nck->nk", shares, table) - right).mean(axis=0)
        apart = exponents - defaults
        return float(value + 0.5 * penalty * apart @ apart), slope + penalty * apart

    bounds = [(0.0, None)] * len(parts)
    found = minimize(loss, defaults, jac=True, bounds=bounds, method="L-BFGS-B").x
    return dict(zip(parts, found.tolist(), strict=True))


def _certain(scores: Floats, targets: NDArray[np.int64]) -> tuple[tuple[float, float], ...]:
    """For each precision, the probability from which answers have it; what none has is left out.

    Args:
        scores: float64 [photos, classes], log shares before they are normalised.
        targets: int64 [photos].
    """
    shares = softmax(scores, axis=1)
    sure, precision = surest_first(shares.max(axis=1), shares.argmax(axis=1) == targets)
    last = np.append(np.diff(sure) < 0, True)  # of equal ones: all are in or none
    found = []
    for wanted in _PRECISIONS:
        enough = np.flatnonzero((precision >= wanted) & last)
        if len(enough) and enough[-1] + 1 >= _FEWEST_SURE:
            found.append((wanted, float(sure[enough[-1]])))
    return tuple(found)


def _image_votes(
    rows: Sequence[Row],
    judged: NDArray[np.int64],
    embeddings: NDArray[np.float32],
    groups: NDArray[np.int64],
    classes: Sequence[str],
    weights: CategoriseWeights,
) -> Floats:
    """What the photos of other products nearest to each say, as the catalog's would.

    A catalog holds photos nearly alike of some products that it is asked about and of others none,
    so of every other photo the neighbours of its whole group are left out.
    """
    ids = np.unique([row.id for row in rows], return_inverse=True)[1]
    votes = []
    most = min(_NEIGHBOURS, len(rows))
    for start in range(0, len(judged), _BLOCK):
        block = judged[start : start + _BLOCK]
        cosines = embeddings[block] @ embeddings.T
        own = ids[block][:, None] == ids[None]
        own[::2] |= groups[block][::2, None] == groups[None]
        cosines[own] = -1.0
        for found in cosines:
            near = np.argpartition(-found, most - 1)[:most]
            counts = loudness(found[near].tolist(), weights.image_floor, weights.image_temperature)
            votes.append(vote([rows[row].category or "" for row in near], counts, classes))
    return np.stack(votes)


def _name_parts(
    rows: Sequence[Row],
    judged: NDArray[np.int64],
    folds: NDArray[np.intp],
    groups: NDArray[np.int64],
    classes: Sequence[str],
) -> dict[str, Floats]:
    """What the names say, by models of the names of other groups; nothing where none is learnt."""
    shares, lifts = np.ones((2, len(judged), len(classes)))
    for fold in np.unique(folds):
        part = np.flatnonzero(folds == fold)
        left_out = set(groups[judged[part]].tolist())
        others = {
            row.id: (row.name, row.category)
            for row, group in zip(rows, groups.tolist(), strict=True)
            if row.name and row.category and group not in left_out
        }
        model = learn_name_categories(list(others.values()))
        if model is None:
            return {}
        for place in part:
            shares[place], lifts[place] = _heard(model, rows[judged[place]].name or "", classes)
    return {"suggester": lifts, "suggester_alone": shares}


def _folds(judged: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.intp]:
    """Fold of each judged photo; one where most photos are not judged anyway."""
    if len(np.unique(groups[judged])) < 0.5 * len(np.unique(groups)):
        return np.zeros(len(judged), np.intp)
    return np.asarray(groups[judged] % _FOLDS, np.intp)


def _heard(model: NameCategories, name: str, classes: Sequence[str]) -> tuple[Floats, Floats]:
    """Probabilities and lifts, float64 [classes] each; flat where the name says nothing."""
    opinion = model.opinion(name)
    flat = 1 / len(classes)
    if opinion is None:
        return np.full(len(classes), flat), np.ones(len(classes))
    return (
        np.array([opinion.probabilities.get(path, flat) for path in classes]),
        np.array([opinion.lift.get(path, 1.0) for path in classes]),
    )
