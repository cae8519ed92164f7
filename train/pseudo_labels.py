"""Labels for photos that have none, where a head is the surest of them."""

from typing import Final

import torch
from torch import Tensor

# How often a head gives labels and is fitted anew; later ones change little.
SELF_TRAININGS: Final = 4
_SHARE: Final = 0.5


def surest(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Of the photos that are taken for a class, the half that the head is the surest of.

    Class-balanced self-training (Zou et al. 2018, ECCV). How sure an answer must be cannot be told
    from labelled photos, which are more like those trained on; and where one bound held for all
    classes, the easy ones would get all the photos.

    Args:
        logits: float32 [N, classes].

    Returns:
        int64 [K], rows; int64 [K], their classes.
    """
    probability, guesses = logits.softmax(1).max(1)
    rows = []
    for guess in guesses.unique():
        taken = torch.nonzero(guesses == guess).flatten()
        order = probability[taken].argsort(descending=True)
        rows.append(taken[order[: max(1, round(_SHARE * len(taken)))]])
    sure = torch.cat(rows)
    return sure, guesses[sure]
