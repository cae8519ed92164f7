"""What categorize answers: the same for the service, the command line and evaluation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import Categorisation, Neighbour, categorise, suggest_tags
from catalog.match import MatchModel
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
    """Pool neighbours, the classifier's probabilities and the words of the name.

    Args:
        document: of the bundle that answers.
        model: the bundle's match model.
        neighbours: of `find_neighbours`; none without a catalog.
        probabilities: float32 [classes] of the photo, or None.
        name: as the shop writes it, or None.
        familiarity: of the photo, where the bundle has prototypes.
    """
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
