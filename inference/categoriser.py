"""What categorize answers: the same for the service, the command line and evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import (
    DEFAULT_WEIGHTS,
    Categorisation,
    CategoryScore,
    Neighbour,
    categorise,
    suggest_tags,
)
from catalog.familiarity import most_familiar
from catalog.match import MatchModel
from catalog.moves import Move, merged, moved
from catalog.names.categories import NameCategories, NameOpinion
from catalog.pool import CategoriseWeights
from catalog.precision import TARGET_PRECISION
from inference.bundle import Bundle

_MOST_TAGS: Final = 10


@dataclass(frozen=True)
class Categoriser:
    """What a bundle says of a product, given its photo, its name and its neighbours in a catalog.

    Attributes:
        classes: that the classifier knows.
        match: scores pairs of products.
        weights: of the parts that are pooled.
        prototypes: float32 [P, D] of the training photos, where the bundle has them.
        name_categories: what a name says of its category, where the bundle has it.
    """

    classes: tuple[str, ...]
    match: MatchModel
    weights: CategoriseWeights = DEFAULT_WEIGHTS
    prototypes: NDArray[np.float32] | None = None
    name_categories: NameCategories | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """As the bundle says."""
        document = bundle.document
        return cls(
            document.classes,
            bundle.match_model,
            bundle.categorise_weights,
            bundle.prototypes,
            bundle.name_categories,
        )

    def categorise(
        self,
        neighbours: Sequence[Neighbour],
        probabilities: NDArray[np.float32] | None,
        embedding: NDArray[np.float32] | None,
        name: str | None,
        moves: Sequence[Move] = (),
        precision: float = TARGET_PRECISION,
    ) -> Categorisation:
        """Pool neighbours, the classifier's probabilities and what the name says.

        Args:
            neighbours: of `find_neighbours`; none without a catalog.
            probabilities: float32 [classes] of the photo, or None.
            embedding: float32 [D] of the photo, or None.
            name: as the shop writes it, or None.
            moves: of the catalog's categories since the bundle was trained.
            precision: how often answers whose decision is `auto` must be right, 0 to 1.
        """
        found = categorise(
            self._named(neighbours, name),
            self._by_class(probabilities, moves),
            self.match,
            self.weights,
            precision=precision,
            name=name,
            familiarity=most_familiar(embedding, self.prototypes),
            opinion=self._opinion(name, moves),
        )
        if not name or found.path is not None or found.alternatives:
            return found
        # A name alone and nothing near it: its words may still say something.
        tags = tuple(self.suggest(neighbours, name, moves))
        return replace(found, alternatives=tags[:_MOST_TAGS], ranked=tags)

    def suggest(
        self, neighbours: Sequence[Neighbour], name: str, moves: Sequence[Move] = ()
    ) -> list[CategoryScore]:
        """The categories that a name speaks for, best first."""
        near = self._named(neighbours, name)
        classes = list(dict.fromkeys(moved(path, moves) for path in self.classes))
        return suggest_tags(name, near, classes, self.weights, self._opinion(name, moves))

    def _by_class(
        self, probabilities: NDArray[np.float32] | None, moves: Sequence[Move]
    ) -> dict[str, float] | None:
        if probabilities is None:
            return None
        shares = dict(zip(self.classes, probabilities.tolist(), strict=True))
        return merged(shares, moves) if moves else shares

    def _opinion(self, name: str | None, moves: Sequence[Move]) -> NameOpinion | None:
        if not name or self.name_categories is None:
            return None
        return self.name_categories.opinion(name, moves)

    def _named(self, neighbours: Sequence[Neighbour], name: str | None) -> Sequence[Neighbour]:
        """The neighbours with the similarity of their names to the one asked about."""
        named = [one for one in neighbours if one.name] if name else []
        compared = self.match.names.compare_all(name or "", [one.name or "" for one in named])
        found = {one.id: names for one, names in zip(named, compared, strict=True)}
        return [
            replace(one, name_similarity=names.similarity, conflict=names.conflict)
            if (names := found.get(one.id))
            else one
            for one in neighbours
        ]
