"""What categorize answers: the same for the service, the command line and evaluation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import (
    Categorisation,
    CategoryScore,
    Neighbour,
    categorise,
    suggest_tags,
)
from catalog.match import MatchModel
from catalog.names import normalise
from inference.bundle import BundleDocument

_MOST_TAGS = 10


def place(
    document: BundleDocument,
    model: MatchModel,
    neighbours: Sequence[Neighbour],
    probabilities: NDArray[np.float32] | None,
    name: str | None,
    familiarity: float | None = None,
) -> Categorisation:
    """Compare names; pool neighbours, the classifier's probabilities and the words of the name.

    Args:
        document: of the bundle that answers.
        model: the bundle's match model.
        neighbours: of `find_neighbours`; none without a catalog.
        probabilities: float32 [classes] of the photo, or None.
        name: as the shop writes it, or None.
        familiarity: of the photo, where the bundle has prototypes.
    """
    neighbours = _named(model, neighbours, name)
    shares = None
    if probabilities is not None:
        shares = dict(zip(document.classes, probabilities.tolist(), strict=True))
    certainty = document.thresholds.certainty
    found = categorise(
        neighbours, shares, model, certainty=certainty, name=name, familiarity=familiarity
    )
    if name is None or found.path is not None or found.alternatives:
        return found
    # A name alone and nothing near it: its words may still say something.
    tags = tuple(suggest_tags(name, neighbours, document.classes))
    return replace(found, alternatives=tags[:_MOST_TAGS], ranked=tags)


def suggest(
    document: BundleDocument, model: MatchModel, neighbours: Sequence[Neighbour], name: str
) -> list[CategoryScore]:
    """The categories that a name speaks for, best first."""
    return suggest_tags(name, _named(model, neighbours, name), document.classes)


def _named(
    model: MatchModel, neighbours: Sequence[Neighbour], name: str | None
) -> Sequence[Neighbour]:
    """The neighbours with the similarity of their names to the one asked about."""
    asked = normalise(name) if name else None
    if asked is None or not asked.text:
        return neighbours
    named = [one for one in neighbours if one.name]
    compared = model.names.compare_all(asked, [one.name or "" for one in named])
    alike = {one.id: found.similarity for one, found in zip(named, compared, strict=True)}
    return [replace(one, name_similarity=alike.get(one.id)) for one in neighbours]
