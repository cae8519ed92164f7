"""A prediction as an answer: ranked categories, and the one that is certain enough."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from catalog.familiarity import familiarity
from catalog.tags import TagModel
from catalog.tree import CategoryTree
from inference.bundle import Thresholds
from inference.session import Prediction

Row = dict[str, Any]


def classified(
    tree: CategoryTree,
    thresholds: Thresholds,
    prediction: Prediction,
    top_k: int,
    level: int | None,
    prototypes: NDArray[np.float32] | None = None,
    tags: TagModel | None = None,
) -> list[Row]:
    """The `results` of a classify answer, one per photo, as plain JSON values.

    Args:
        tree: of the model's classes.
        thresholds: from which probability an answer needs no person.
        prediction: of N photos.
        top_k: ranked categories at most.
        level: depth of the categories; None ranks the classes and answers as deep as is certain.
        prototypes: float32 [P, D] of the training photos, where the bundle has them.
        tags: judges tags, where the bundle has any; as many are answered as categories.

    Raises:
        InvalidRequest: the tree has no such level.
    """
    rolled = tree.roll_up(prediction.probabilities)
    rows = [
        _at_level(tree, thresholds, shares, nodes, top_k, level)
        if level
        else _as_deep_as_certain(tree, thresholds, shares, nodes, top_k)
        for shares, nodes in zip(prediction.probabilities, rolled, strict=True)
    ]
    if prototypes is not None and thresholds.unfamiliar is not None:
        near = familiarity(prediction.embeddings, prototypes)
        for row, unlike in zip(rows, near < thresholds.unfamiliar, strict=True):
            if unlike:
                row["answer"] = {**row["answer"], "decision": "unknown"}
    if tags is not None:
        for row, embedding in zip(rows, prediction.embeddings, strict=True):
            row["tags"] = [
                {"tag": tag, "probability": share} for tag, share in tags.ranked(embedding, top_k)
            ]
    return rows


def _as_deep_as_certain(
    tree: CategoryTree,
    thresholds: Thresholds,
    shares: NDArray[np.float32],
    nodes: NDArray[np.float32],
    top_k: int,
) -> Row:
    found = tree.answer(nodes, thresholds.certainty)
    best = int(shares.argmax())
    sure = found.certain and found.path == tree.classes[best]
    decision = _decision(thresholds, float(shares[best]), float(shares[best]) if sure else 0.0)
    return {
        "answer": {"path": found.path, "probability": found.probability, "decision": decision},
        "categories": _ranked(tree, shares, top_k),
    }


def _at_level(
    tree: CategoryTree,
    thresholds: Thresholds,
    shares: NDArray[np.float32],
    nodes: NDArray[np.float32],
    top_k: int,
    level: int,
) -> Row:
    ranked = list(tree.ranked_level(nodes, level).items())[:top_k]
    path, probability = ranked[0]
    decision = _decision(thresholds, float(shares.max()), probability)
    return {
        "answer": {"path": path, "probability": probability, "decision": decision},
        "categories": [{"path": path, "probability": share} for path, share in ranked],
    }


def _decision(
    thresholds: Thresholds, likeliest: float, answered: float
) -> Literal["auto", "review", "unknown"]:
    """From the probability of the likeliest class and that of the category answered."""
    if likeliest < thresholds.unknown:
        return "unknown"
    return "auto" if answered >= thresholds.certainty else "review"


def _ranked(tree: CategoryTree, shares: NDArray[np.float32], top_k: int) -> list[Row]:
    order = np.argsort(-shares, kind="stable")[:top_k]
    return [
        {"path": tree.classes[i], "probability": min(float(shares[i]), 1.0)} for i in order.tolist()
    ]
