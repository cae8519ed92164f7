"""Tags are learnt last, on the finished embedding: a linear layer that the graph need not know."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from catalog.metrics import average_precisions
from catalog.tags import TagModel

# A tag that fewer photos have, or fewer lack, cannot be learnt.
_FEWEST: Final = 5
# Inverse strength of the penalty, on embeddings scaled to a mean square of 1. On 2,048 of fashion's
# training photos 0.03 to 0.1 rank best; 0.01 and 0.3 lose 0.03 and 0.01 of mean average precision.
_C: Final = 0.1


@dataclass(frozen=True)
class LearntTags:
    """A tag model and how good it is.

    Attributes:
        model: fitted.
        average_precision: by tag, on photos set aside; only tags that some of them have.
        photos: that have each tag, of those it was fitted on.
        left_out: tags that too few photos have or lack.
    """

    model: TagModel
    average_precision: dict[str, float]
    photos: dict[str, int]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What run.json says of it; the mean is over the tags that were judged."""
        judged = list(self.average_precision.values())
        return {
            "mean_average_precision": float(np.mean(judged)) if judged else None,
            "average_precision": self.average_precision,
            "photos": self.photos,
            "left_out": list(self.left_out),
        }


def learn_tags(
    embeddings: NDArray[np.float32],
    tags: Sequence[Sequence[str]],
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> LearntTags | None:
    """A logistic regression per tag; what they say is tempered by the photos set aside.

    A photo without any tag was not tagged: nothing is learnt from it.

    Args:
        embeddings: float32 [N, D], unit length.
        tags: of each photo.
        train: rows to fit on.
        held_out: rows to judge on.

    Returns:
        None where no tag can be learnt.
    """
    train, held_out = (
        np.array([row for row in rows if tags[row]], dtype=np.int64) for rows in (train, held_out)
    )
    counts = Counter(tag for row in train for tag in tags[row])
    names = tuple(tag for tag in sorted(counts) if _FEWEST <= counts[tag] <= len(train) - _FEWEST)
    if not names:
        return None
    truth = np.array([[name in own for name in names] for own in tags])
    scale = np.sqrt(embeddings.shape[1])
    fits = [
        LogisticRegression(C=_C, max_iter=300).fit(scale * embeddings[train], truth[train, number])
        for number in range(len(names))
    ]
    model = TagModel(
        names,
        scale * np.concatenate([fit.coef_ for fit in fits]).astype(np.float32),
        np.concatenate([fit.intercept_ for fit in fits]).astype(np.float32),
    )
    if len(held_out):
        model = _tempered(model, embeddings[held_out], truth[held_out])
    precision = average_precisions(
        names, model.probabilities(embeddings[held_out]), truth[held_out]
    )
    left_out = tuple(tag for tag in sorted(counts) if tag not in names)
    return LearntTags(model, precision, {name: counts[name] for name in names}, left_out)


def _tempered(
    model: TagModel, embeddings: NDArray[np.float32], truth: NDArray[np.bool_]
) -> TagModel:
    """One temperature for all tags, as for categories (Guo et al. 2017, arXiv:1706.04599)."""
    logits = embeddings @ model.weight.T + model.bias
    signed = np.where(truth, logits, -logits)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -signed / np.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(20.0)), method="bounded")
    share = np.float32(np.exp(-found.x))
    return TagModel(model.names, model.weight * share, model.bias * share)
