"""A prediction as an answer: ranked categories, and the one that is certain enough."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from catalog.familiarity import familiarity
from catalog.tags import TagModel
from catalog.tree import CategoryTree
from inference.bundle import Bundle, Thresholds
from inference.session import Prediction

Row = dict[str, Any]


@dataclass(frozen=True)
class AnswerPolicy:
    """What is answered to a prediction, and whether a person should look.

    Attributes:
        tree: of the model's classes.
        thresholds: from which probability an answer needs no person.
        prototypes: float32 [P, D] of the training photos, where the bundle has them.
        tags: judges tags, where the bundle has any; as many are answered as categories.
    """

    tree: CategoryTree
    thresholds: Thresholds
    prototypes: NDArray[np.float32] | None = None
    tags: TagModel | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """As the bundle says."""
        return cls(bundle.tree, bundle.document.thresholds, bundle.prototypes, bundle.tags)

    def answers(self, prediction: Prediction, top_k: int, level: int | None = None) -> list[Row]:
        """The `results` of a classify answer, one per photo, as plain JSON values.

        Args:
            prediction: of N photos.
            top_k: ranked categories at most.
            level: depth of the categories; None ranks the classes and answers as deep as is
                certain.

        Raises:
            InvalidRequest: the tree has no such level.
        """
        rolled = self.tree.roll_up(prediction.probabilities)
        rows = [
            self._at_level(shares, nodes, top_k, level)
            if level
            else self._as_deep_as_certain(shares, nodes, top_k)
            for shares, nodes in zip(prediction.probabilities, rolled, strict=True)
        ]
        if self.prototypes is not None and self.thresholds.unfamiliar is not None:
            near = familiarity(prediction.embeddings, self.prototypes)
            for row, unlike in zip(rows, near < self.thresholds.unfamiliar, strict=True):
                if unlike:
                    row["answer"] = {**row["answer"], "decision": "unknown"}
        if self.tags is not None:
            for row, embedding in zip(rows, prediction.embeddings, strict=True):
                row["tags"] = [
                    {"tag": tag, "probability": share}
                    for tag, share in self.tags.ranked(embedding, top_k)
                ]
        return rows

    def _as_deep_as_certain(
        self, shares: NDArray[np.float32], nodes: NDArray[np.float32], top_k: int
    ) -> Row:
        found = self.tree.answer(nodes, self.thresholds.certainty)
        best = int(shares.argmax())
        sure = found.certain and found.path == self.tree.classes[best]
        decision = self._decision(float(shares[best]), float(shares[best]) if sure else 0.0)
        return {
            "answer": {"path": found.path, "probability": found.probability, "decision": decision},
            "categories": self._ranked(shares, top_k),
        }

    def _at_level(
        self, shares: NDArray[np.float32], nodes: NDArray[np.float32], top_k: int, level: int
    ) -> Row:
        ranked = list(self.tree.ranked_level(nodes, level).items())[:top_k]
        path, probability = ranked[0]
        decision = self._decision(float(shares.max()), probability)
        return {
            "answer": {"path": path, "probability": probability, "decision": decision},
            "categories": [{"path": path, "probability": share} for path, share in ranked],
        }

    def _decision(self, likeliest: float, answered: float) -> Literal["auto", "review", "unknown"]:
        """From the probability of the likeliest class and that of the category answered."""
        if likeliest < self.thresholds.unknown:
            return "unknown"
        return "auto" if answered >= self.thresholds.certainty else "review"

    def _ranked(self, shares: NDArray[np.float32], top_k: int) -> list[Row]:
        order = np.argsort(-shares, kind="stable")[:top_k]
        return [
            {"path": self.tree.classes[i], "probability": min(float(shares[i]), 1.0)}
            for i in order.tolist()
        ]
