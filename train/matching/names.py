"""What compares names, learnt from pairs: words that matter to this shop, and how names differ."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from catalog.names.common import NamePair, PairFeatures
from catalog.names.model import NameModel
from catalog.names.words import WordStatistics

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FOLDS: Final = 5
# Inverse of the L2 penalty on words; features, brought to this deviation, are held down more.
_WORDS_C: Final = 0.3
_FEATURES_DEVIATION: Final = 0.3
_TREES: Final = 150
_TREE: Final[dict[str, Any]] = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_child_samples": 20,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "verbose": -1,
}


def fit_names(
    pairs: Sequence[NamePair],
    same: Bools,
    statistics: WordStatistics,
    groups: Sequence[str],
    seed: int = 0,
) -> tuple[NameModel, Floats]:
    """Fit a logistic regression over features and words, and boosted trees over the features.

    How much each counts in the sum, perhaps nothing, is fitted to their answers out of fold; so the
    model's probabilities are calibrated.

    Args:
        pairs: with words weighed by ``statistics``.
        same: bool [N], whether each pair is one product; of either kind as many as there are folds,
            and in as many groups.
        statistics: of the shop's names.
        groups: pairs of one group are in one fold, as those of one product should be.
        seed: of the folds and the trees.

    Returns:
        the model, and float64 [N] log odds of each pair by models of the other folds.
    """

    def with_trees(some: Sequence[NamePair], are: Bools) -> NameModel:
        return _fit_trees(some, are, seed)

    learners = (_fit_words, with_trees)
    apart = np.column_stack([_out_of_fold(learn, pairs, same, groups, seed) for learn in learners])
    shares, bias = _mix(apart, same)
    words, trees = (learn(pairs, same) for learn in learners)
    model = NameModel(
        bias=bias + shares[0] * words.bias,
        features={name: shares[0] * weight for name, weight in words.features.items()},
        shared={word: shares[0] * weight for word, weight in words.shared.items()},
        apart={word: shares[0] * weight for word, weight in words.apart.items()},
        trees=trees.trees if shares[1] else None,
        trees_share=shares[1],
        statistics=statistics,
        equal_is_same=False,
    )
    return model, bias + apart @ shares


def _out_of_fold(
    learn: Callable[[Sequence[NamePair], Bools], NameModel],
    pairs: Sequence[NamePair],
    same: Bools,
    groups: Sequence[str],
    seed: int,
) -> Floats:
    logits = np.zeros(len(pairs))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for rows, others in folds.split(logits, same, groups):
        model = learn([pairs[row] for row in rows], same[rows])
        logits[others] = model.logits([pairs[row] for row in others])
    return logits


def _mix(parts: Floats, same: Bools) -> tuple[Floats, float]:
    """Weights, none below zero, and the bias of a sum of log odds (Platt 1999)."""
    weights = np.zeros(parts.shape[1])
    used = np.ones(parts.shape[1], bool)
    while used.any():
        fitted = LogisticRegression(C=1e3).fit(parts[:, used], same)
        if fitted.coef_.min() >= 0:
            weights[used] = fitted.coef_[0]
            return weights, float(fitted.intercept_[0])
        used[np.flatnonzero(used)[fitted.coef_[0].argmin()]] = False
    return weights, float(logit(same.mean()))


def _fit_words(pairs: Sequence[NamePair], same: Bools) -> NameModel:
    features = _features(pairs)
    deviation = features.std(axis=0) + 1e-6
    scale = _FEATURES_DEVIATION / deviation
    centre = features.mean(axis=0)
    names = sorted({said for pair in pairs for said in _said(pair)})
    places = {said: place for place, said in enumerate(names)}
    columns = [places[said] for pair in pairs for said in _said(pair)]
    ends = np.cumsum([0, *(len(pair.shared) + len(pair.apart) for pair in pairs)])
    words = sparse.csr_matrix((np.ones(len(columns)), columns, ends), (len(pairs), len(names)))
    table = sparse.hstack([sparse.csr_matrix((features - centre) * scale), words]).tocsr()
    fitted = LogisticRegression(C=_WORDS_C, solver="liblinear", max_iter=300).fit(table, same)
    weights = fitted.coef_[0]
    of_features = weights[: features.shape[1]] * scale
    said = list(zip(names, weights[features.shape[1] :].tolist(), strict=True))
    return NameModel(
        bias=float(fitted.intercept_[0] - of_features @ centre),
        features=dict(zip(PairFeatures._fields, of_features.tolist(), strict=True)),
        shared={word: weight for (kind, word), weight in said if kind == "shared"},
        apart={word: weight for (kind, word), weight in said if kind == "apart"},
    )


def _said(pair: NamePair) -> list[tuple[str, str]]:
    return [*(("shared", word) for word in pair.shared), *(("apart", word) for word in pair.apart)]


def _fit_trees(pairs: Sequence[NamePair], same: Bools, seed: int) -> NameModel:
    data = lightgbm.Dataset(_features(pairs), same.astype(np.float64))
    booster = lightgbm.train({**_TREE, "seed": seed}, data, _TREES)
    return NameModel(
        bias=0.0,
        features=dict.fromkeys(PairFeatures._fields, 0.0),
        trees=booster.model_to_string(),
        trees_share=1.0,
    )


def _features(pairs: Sequence[NamePair]) -> Floats:
    return np.array([pair.features for pair in pairs], np.float64)
