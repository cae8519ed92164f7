"""Categories from names alone: character pieces and a softmax regression."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from catalog.names.categories import NameCategories, pieces

_PIECES: Final = 10_000
# Names that are learnt from at most, rare categories whole.
_NAMES: Final = 50_000
# Inverse strength of the penalty.
_C: Final = 30.0


def learn_name_categories(named: Sequence[tuple[str, str]]) -> NameCategories | None:
    """Fit on the names of products; None where fewer than two categories have any.

    Args:
        named: name as the shop writes it, and category path, of each product.
    """
    said = _at_most([(name, category) for name, category in named if pieces(name)])
    names, categories = [name for name, _ in said], [category for _, category in said]
    counts = Counter(categories)
    if len(counts) < 2:
        return None
    vectors = TfidfVectorizer(analyzer=pieces, sublinear_tf=True, max_features=_PIECES)
    table = vectors.fit_transform(names)
    fitted = LogisticRegression(C=_C, max_iter=300).fit(table, categories)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps one side only
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return NameCategories(
        tuple(fitted.classes_.tolist()),
        tuple(vectors.get_feature_names_out().tolist()),
        vectors.idf_.astype(np.float32),
        weight.T.astype(np.float16),
        bias.astype(np.float32),
        np.array([counts[path] / len(categories) for path in fitted.classes_], np.float32),
    )


def _at_most(named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many of each category as `_NAMES` leaves room for, spread over the shop."""
    if len(named) <= _NAMES:
        return list(named)
    room = _NAMES // len({category for _, category in named}) + 1
    by_category: dict[str, list[tuple[str, str]]] = {}
    for one in named:
        by_category.setdefault(one[1], []).append(one)
    return [one for own in by_category.values() for one in own[:: -(-len(own) // room)]]
